"""Which bands are red, green and blue, of whatever sensor, and which are those of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from satdifuser_qgis.engine.raster.bands import listed_bands
from satdifuser_qgis.engine.raster.read import open_raster
from satdifuser_qgis.protocol.errors import EngineError
from tests.data import write_raster
from tests.engine.notes import Notes

RGB = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
LANDSAT_8 = tuple(f"SR_B{band}" for band in range(1, 8))
LANDSAT_7 = tuple(f"SR_B{band}" for band in (1, 2, 3, 4, 5, 7))
MODIS = tuple(f"sur_refl_b0{band}" for band in (3, 4, 1, 2, 6, 7))
SENTINEL_2 = ("B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B9", "B11", "B12")
BGRN = ("B1", "B2", "B3", "B4")


def image(path: Path, names: tuple[str, ...] = (), count: int = 0, dtype: str = "uint16", **options) -> str:
    return write_raster(path, np.ones((count or len(names), 4, 4), dtype), names=names, **options)


def chosen(path: str, **model) -> tuple[tuple[int, ...], Notes]:
    notes = Notes()
    with open_raster(path) as raster:
        return raster.choose_bands(**model, reporter=notes), notes


def numbered(*numbers: object, before: str = "B") -> tuple[str, ...]:
    return tuple(f"{before}{number}" for number in numbers)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (SENTINEL_2, (4, 3, 2)),
        (numbered(2, 3, 4, 8), (3, 2, 1)),
        (numbered("04", "03", "02"), (1, 2, 3)),
        (numbered(2, 3, 4, 5, 6, 7, "8A", 11, 12), (3, 2, 1)),
        (LANDSAT_8, (4, 3, 2)),
        (LANDSAT_8[1:], (3, 2, 1)),
        (numbered(*range(1, 12)), (4, 3, 2)),
        (LANDSAT_7, (3, 2, 1)),
        (numbered(1, 2, 3, 4, 5, 7), (3, 2, 1)),
        (numbered("01", "02", "03", "04", "05", "07"), (3, 2, 1)),
        (numbered(1, 2, 3, 4, 5, "6_VCID_1", "6_VCID_2", 7, 8), (3, 2, 1)),
        (numbered(1, 2, 3, 4, 5, 7, before="sr_band"), (3, 2, 1)),
        (numbered(*range(1, 8), before="LT05_L1TP_224063_19880814_20170205_01_T1_B"), (3, 2, 1)),
        (numbered(*range(1, 8), before="LC08_L1TP_224063_20200814_20200905_02_T1_B"), (4, 3, 2)),
        (MODIS, (3, 2, 1)),
        (numbered(*range(1, 8), before="Nadir_Reflectance_Band"), (1, 4, 3)),
        (numbered(5, 6, 7, 8), (3, 2, 1)),
        (("B2", "B1", "B0", "B3"), (1, 2, 3)),
        (("B", "G", "R", "N"), (3, 2, 1)),
        (("BAND_C", "BAND_B", "BAND_G", "BAND_Y", "BAND_R", "BAND_RE", "BAND_N", "BAND_N2"), (5, 3, 2)),
        (("coastal_blue", "blue", "green_i", "green", "yellow", "red", "rededge", "nir"), (6, 4, 2)),
        (("Nahes Infrarot", "Rot", "Grün", "Blau"), (2, 3, 4)),
        (("BLAU", "GRU\N{COMBINING DIAERESIS}N", "Roter Kanal", "Rotkante"), (3, 2, 1)),
        (("bleu", "vert", "rouge", "proche infra-rouge"), (3, 2, 1)),
        (("Azul", "Verde", "Borde rojo", "Rojo"), (4, 2, 1)),
        (("B4, central wavelength 665 nm", "B3, central wavelength 560 nm", "B2, 490 nm"), (1, 2, 3)),
        (("band 1 (0.45 Micrometers)", "band 2 (0.478 µm)", "band 3 (558 Nanometers)", "band 4 (661 nm)"), (4, 3, 2)),
    ],
)
def test_bands_are_told_without_a_warning(tmp_path, names, expected):
    bands, notes = chosen(image(tmp_path / "a.tif", names))
    assert bands == expected
    assert not notes.lines


@pytest.mark.parametrize(
    ("names", "expected", "said"),
    [
        (BGRN, (3, 2, 1), "bands 3 (B3), 2 (B2), 1 (B1) are taken as red, green and blue, in the numbering of Planet"),
        (numbered(1, 2, 3, 4, 5), (3, 2, 1), "in the numbering of RapidEye"),
        (numbered(*range(1, 8)), (4, 3, 2), "in the numbering of Landsat 8 and 9"),
        (numbered(*range(1, 9)), (6, 4, 2), "in the numbering of PlanetScope with eight bands"),
        (numbered(4, 3, 2), (1, 2, 3), "If the image is of another sensor (Landsat 4 to 7, "),
        (LANDSAT_8[3:0:-1], (1, 2, 3), "If the image is of another sensor (Landsat 4 to 7),"),
        (("NIR", "Red", "Green"), (1, 2, 3), '"a" has no blue band: bands 1 (NIR), 2 (Red), 3 (Green) are taken'),
        (numbered(8, 4, 3), (1, 2, 3), "has no blue band"),
        (numbered("01", "02", "3N", "04"), (1, 2, 3), "has no blue band"),
        (numbered(4, 5, 6, 7), (1, 2, 3), "has no blue band"),
        (("B1 green", "B2 red", "B3 NIR", "SWIR"), (1, 2, 3), "has no blue band"),
        (("B12", "B11", "B8A"), (1, 2, 3), "has no red and no green and no blue band"),
        (("VV", "VH"), (1, 2, 2), "does not say which of its bands are red, green and blue"),
        (("",) * 4, (1, 2, 3), "bands 1, 2, 3 are taken by position"),
    ],
)
def test_where_it_cannot_be_told_the_bands_taken_and_the_way_out_are(tmp_path, names, expected, said):
    bands, notes = chosen(image(tmp_path / "a.tif", names))
    assert bands == expected
    assert [said in line and 'hoose "Bands" yourself' in line for line in notes.warnings] == [True]


def test_a_name_with_brackets_stands_in_quotes():
    assert listed_bands((1, 2, 3), ("Red (B04, stretched)", "B03", "")) == '1 "Red (B04, stretched)", 2 (B03), 3'


def test_the_sensor_whose_numbers_were_read_is_said(tmp_path):
    with open_raster(image(tmp_path / "a.tif", LANDSAT_7)) as raster:
        assert raster.describe_bands((3, 2, 1)) == "3 (SR_B3), 2 (SR_B2), 1 (SR_B1) of Landsat 4 to 7"
    with open_raster(image(tmp_path / "b.tif", ("Red", "Green", "Blue"))) as raster:
        assert raster.describe_bands((1, 2, 3)) == "1 (Red), 2 (Green), 3 (Blue)"


@pytest.mark.parametrize("count", [3, 4])
def test_colour_tags_are_quiet_unless_names_deny_them(tmp_path, count):
    """GDAL tags three or four bands of 8 bits as red, green, blue and alpha, whatever they are."""
    plain = image(tmp_path / "plain.tif", count=count, dtype="uint8", photometric="rgb")
    assert chosen(plain)[0] == (1, 2, 3)
    assert not chosen(plain)[1].lines
    assert not chosen(image(tmp_path / "wide.tif", count=count, colors=(*RGB, ColorInterp.undefined)[:count]))[1].lines
    infrared = image(tmp_path / "cir.tif", ("NIR", "Red", "Green", "SWIR")[:count], dtype="uint8", photometric="rgb")
    assert "has no blue band" in chosen(infrared)[1].warnings[0]
    bands, notes = chosen(image(tmp_path / "b.tif", BGRN[:count], dtype="uint8", photometric="rgb"))
    assert bands == (1, 2, 3)
    assert "as the file tags their colours" in notes.warnings[0]


def test_a_sensor_is_known_by_the_name_or_the_tags_of_a_file(tmp_path):
    named = image(tmp_path / "LT05_L2SP_224063_19880814_stack.tif", BGRN)
    tagged = image(tmp_path / "a.tif", BGRN)
    with rasterio.open(tagged, "r+") as file:
        file.update_tags(SPACECRAFT_ID="LANDSAT_8")
    assert chosen(named)[0] == (3, 2, 1)
    assert chosen(tagged)[0] == (4, 3, 2)
    assert not chosen(named)[1].lines + chosen(tagged)[1].lines


@pytest.mark.parametrize(
    "tags",
    [
        {"wavelength": "{}", "wavelength_units": "Nanometers"},
        {"WAVELENGTH": "{}", "WAVELENGTH_UNIT": "nm"},
        {"wavelength": "{}"},
    ],
)
def test_wavelengths_decide_where_names_do_not(tmp_path, tags):
    centres = [420 + 12 * band for band in range(40)]
    path = image(tmp_path / "a.tif", count=40)
    bgrn = image(tmp_path / "b.tif", BGRN)
    for file_, values in ((path, centres), (bgrn, (443, 482, 561, 655))):
        with rasterio.open(file_, "r+") as file:
            for band, centre in enumerate(values, 1):
                file.update_tags(band, **{key: value.format(centre) for key, value in tags.items()})
    assert chosen(path)[0] == (21, 13, 6)
    assert chosen(bgrn)[0] == (4, 3, 2)
    assert not chosen(path)[1].lines + chosen(bgrn)[1].lines


def test_wavelengths_in_micrometres_count_and_other_units_do_not(tmp_path):
    path = image(tmp_path / "a.tif", count=4)
    with rasterio.open(path, "r+") as file:
        for band, centre in enumerate((0.485, 0.56, 0.66, 0.83), 1):
            file.update_tags(band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=centre)
    assert chosen(path)[0] == (3, 2, 1)
    index = image(tmp_path / "b.tif", count=4)
    with rasterio.open(index, "r+") as file:
        for band, centre in enumerate((0.485, 0.56, 0.66, 0.83), 1):
            file.update_tags(band, wavelength=centre, wavelength_units="Wavenumber")
    assert "taken by position" in chosen(index)[1].warnings[0]


def stacked(folder: Path, stems: tuple[str, ...]) -> str:
    """A virtual raster with a file in each band, without names, as QGIS's "Build virtual raster" makes it."""
    bands = []
    for number, stem in enumerate(stems, 1):
        image(folder / f"{stem}.tif", count=1)
        bands.append(
            f'<VRTRasterBand dataType="UInt16" band="{number}"><SimpleSource>'
            f'<SourceFilename relativeToVRT="1">{stem}.tif</SourceFilename><SourceBand>1</SourceBand>'
            "</SimpleSource></VRTRasterBand>"
        )
    path = folder / "stack.vrt"
    path.write_text(f'<VRTDataset rasterXSize="4" rasterYSize="4">{"".join(bands)}</VRTDataset>')
    return str(path)


def test_a_virtual_stack_is_read_by_the_names_of_its_files(tmp_path):
    path = stacked(tmp_path, tuple(f"T32TQM_20200101T100000_B0{band}_10m" for band in (2, 3, 4, 8)))
    bands, notes = chosen(path)
    assert bands == (3, 2, 1)
    assert not notes.lines


# A model of Landsat 8, with the wavelengths that its header keeps.
TRAINED = {"names": ("SR_B4", "SR_B3", "SR_B2"), "positions": (4, 3, 2), "centres": (655.0, 561.0, 482.0)}
INFRARED = {"names": ("SR_B5", "SR_B4", "SR_B3"), "positions": (5, 4, 3), "centres": (865.0, 655.0, 561.0)}


@pytest.mark.parametrize(
    ("names", "natural", "infrared"),
    [
        (LANDSAT_8, (4, 3, 2), (5, 4, 3)),
        (LANDSAT_7, (3, 2, 1), (4, 3, 2)),
        (MODIS, (3, 2, 1), (4, 3, 2)),
        (SENTINEL_2, (4, 3, 2), (9, 4, 3)),
        (numbered(1, 2, 3, 4, 5, 7), (3, 2, 1), (4, 3, 2)),
    ],
)
def test_a_model_finds_its_bands_on_other_sensors(tmp_path, names, natural, infrared):
    path = image(tmp_path / "a.tif", names)
    for model, expected in ((TRAINED, natural), (INFRARED, infrared)):
        bands, notes = chosen(path, **model)
        assert bands == expected
        assert not notes.warnings
        told = [line for line in notes.lines if '"SR_B4"' in line and "colours or wavelengths" in line]
        assert len(told) == (names != LANDSAT_8)


def test_the_same_number_of_another_sensor_is_no_match(tmp_path):
    """Band 5 is near infrared on Landsat 8 and short-wave infrared on Landsat 7."""
    no_infrared = image(tmp_path / "a.tif", numbered(1, 2, 3, 5, 7, before="LE07_L1TP_B"))
    with pytest.raises(EngineError, match='has no band "SR_B5"') as caught:
        chosen(no_infrared, **INFRARED)
    assert 'Choose "Bands" yourself' in caught.value.remedy


def test_a_number_of_no_known_sensor_is_met_by_no_known_band(tmp_path):
    """Bands that a user chose where the sensor could not be told."""
    unknown = {"names": ("B1", "B2", "B3"), "positions": (1, 2, 3), "centres": (0.0, 0.0, 0.0)}
    with pytest.raises(EngineError, match='has no band "B1"'):
        chosen(image(tmp_path / "a.tif", SENTINEL_2), **unknown)
    bands, notes = chosen(image(tmp_path / "b.tif", BGRN), **unknown)
    assert bands == (1, 2, 3)
    assert not notes.lines


def test_what_is_assumed_of_an_image_is_told_where_a_model_maps_it(tmp_path):
    bands, notes = chosen(image(tmp_path / "a.tif", BGRN), **TRAINED)
    assert bands == (3, 2, 1)
    assert ["3 (B3), 2 (B2), 1 (B1) are taken for the bands" in line for line in notes.warnings] == [True]


def test_old_models_whose_numbers_fit_several_sensors_are_told(tmp_path):
    path = image(tmp_path / "a.tif", LANDSAT_7)
    bands, notes = chosen(path, names=TRAINED["names"], positions=(4, 3, 2))
    assert bands == (3, 2, 1)
    said = ["does not say of which sensor" in line and "Landsat 8 and 9 is assumed" in line for line in notes.warnings]
    assert said == [True]
    bands, notes = chosen(image(tmp_path / "b.tif", SENTINEL_2), names=("B04", "B03", "B02"), positions=(4, 3, 2))
    assert bands == (4, 3, 2)
    assert not notes.warnings


def test_a_model_without_names_takes_bands_of_a_named_image_by_position_with_a_warning(tmp_path):
    unnamed = {"names": ("", "", ""), "positions": (1, 2, 3), "centres": (0.0, 0.0, 0.0)}
    bands, notes = chosen(image(tmp_path / "a.tif", SENTINEL_2), **unnamed)
    assert bands == (1, 2, 3)
    assert ["1 (B1), 2 (B2), 3 (B3)" in line and "are taken for them" in line for line in notes.warnings] == [True]
    assert not chosen(image(tmp_path / "b.tif", count=5), **unnamed)[1].lines


def test_an_image_without_names_is_taken_by_position_with_a_warning(tmp_path):
    model = {"names": ("B08", "B04", "B03"), "positions": (5, 3, 2), "centres": (842.0, 665.0, 560.0)}
    bands, notes = chosen(image(tmp_path / "scene.tif", count=5), **model)
    assert bands == (5, 3, 2)
    assert notes.warnings[0].startswith(
        '"scene" names none of its bands: 5, 3, 2 are taken by position for the bands "B08", "B04", "B03" of the model.'
    )
    assert "has one band only" in chosen(image(tmp_path / "pan.tif", count=1), **model)[1].warnings[0]


def test_an_image_of_a_training_that_takes_bands_by_colour_says_of_which_image(tmp_path):
    bands, notes = chosen(image(tmp_path / "a.tif", LANDSAT_7), **TRAINED, first="landsat 8")
    assert bands == (3, 2, 1)
    assert 'of the bands "SR_B4", "SR_B3", "SR_B2" of "landsat 8".' in notes.lines[0]


def test_wavelengths_that_were_only_assumed_are_kept_for_no_other_bands(tmp_path):
    with open_raster(image(tmp_path / "a.tif", LANDSAT_7)) as raster:
        assert raster.centres_of((4, 3, 2)) == (835, 660, 560)
    with open_raster(image(tmp_path / "b.tif", BGRN)) as raster:
        assert raster.centres_of((3, 2, 1)) == (665, 555, 485)
        assert raster.centres_of((4, 3, 2)) == (0, 0, 0)


def test_a_tag_does_not_make_a_named_band_the_red_of_a_model(tmp_path):
    radar = image(tmp_path / "a.tif", ("VV", "VH", "ratio"), dtype="uint8", photometric="rgb")
    with pytest.raises(EngineError, match='has no band "SR_B4"'):
        chosen(radar, **TRAINED)
    bands, notes = chosen(radar, names=("ratio", "VV", "VH"), centres=(0.0, 0.0, 0.0))
    assert bands == (3, 1, 2)
    assert not notes.lines


def test_a_model_finds_its_own_bands_on_its_own_image(tmp_path):
    """ "green_i" is another band than "green", on both sides."""
    path = image(tmp_path / "a.tif", ("coastal", "blue", "green_i", "green", "yellow", "red"))
    with open_raster(path) as raster:
        own = {"names": raster.names_of((6, 3, 2)), "centres": (665.0, 531.0, 490.0), "positions": (6, 3, 2)}
    assert chosen(path, **own)[0] == (6, 3, 2)


def test_letters_within_a_name_are_no_sensor(tmp_path):
    """ "8b" marks the files of PlanetScope with eight bands, as a word of its own."""
    names = numbered(1, 2, 3, 4, 5, 6, 7, 8, before="B")
    assert chosen(image(tmp_path / "tile_3f9c8b.tif", names))[1].warnings
    assert not chosen(image(tmp_path / "20240101_AnalyticMS_8b.tif", names))[1].warnings
