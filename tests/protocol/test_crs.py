"""Which CRSs name a place is told from their WKT alone, by both halves."""

from __future__ import annotations

import pytest

from satdifuser_qgis.protocol.crs import names_no_place

UTM = 'PROJCS["WGS 84 / UTM zone 33N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.25]]]]'
LOCAL = 'LOCAL_CS["unnamed",UNIT["metre",1]]'
HEIGHT = 'VERT_CS["EGM96 height",VERT_DATUM["EGM96 geoid",2005],UNIT["metre",1]]'


@pytest.mark.parametrize(
    "wkt",
    [
        LOCAL,
        'LOCAL_CS["site grid",LOCAL_DATUM["unknown",32767],UNIT["metre",1]]',
        'ENGCRS["Undefined Cartesian SRS",EDATUM["Unknown engineering datum"],CS[Cartesian,2]]',
        'ENGCRS [ "Unknown", EDATUM [ "" ], CS [ Cartesian, 2 ] ]',
        'ENGINEERINGCRS["A construction site",EDATUM["P1"]]',
        'GEOGCS["Undefined geographic SRS",DATUM["unknown",SPHEROID["unknown",6378137,298.25]]]',
        'GEOGCRS["Undefined geographic SRS",DATUM["unknown",ELLIPSOID["unknown",6378137,298.25]]]',
        'GEOGCS["GCS_Undefined_geographic_SRS",DATUM["D_unknown",SPHEROID["unknown",6378137,298.25]]]',
        f'COMPD_CS["unnamed",{LOCAL},{HEIGHT}]',
        'BOUNDCRS[SOURCECRS[ENGCRS["Unknown",EDATUM[""]]],TARGETCRS[GEOGCRS["WGS 84"]]]',
        HEIGHT,
    ],
)
def test_local_and_undefined_systems_name_no_place(wkt):
    assert names_no_place(wkt)


@pytest.mark.parametrize(
    "wkt",
    [
        "",
        UTM,
        UTM.replace("WGS 84 / UTM zone 33N", "unnamed"),
        UTM.replace("WGS 84 / UTM zone 33N", "LOCAL_CS"),
        f'COMPD_CS["UTM and height",{UTM},{HEIGHT}]',
        'GEOGCS["unknown",DATUM["unknown",SPHEROID["unknown",6378137,298.25]]]',
        f'BOUNDCRS[SOURCECRS[{UTM}],TARGETCRS[GEOGCRS["WGS 84"]]]',
    ],
)
def test_unnamed_systems_of_a_known_place_name_one(wkt):
    assert not names_no_place(wkt)
