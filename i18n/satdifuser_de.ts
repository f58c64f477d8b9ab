<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
 <context>
  <name>SatDiFuser</name>
  <message>
   <source>Engine settings…</source>
   <translation>Engine-Einstellungen…</translation>
  </message>
  <message>
   <source>Guide</source>
   <translation>Handbuch</translation>
  </message>
  <message>
   <source>Install the engine…</source>
   <translation>Engine installieren…</translation>
  </message>
  <message>
   <source>Install…</source>
   <translation>Installieren…</translation>
  </message>
  <message>
   <source>SatDiFuser needs its engine ({size} GB).</source>
   <translation>SatDiFuser braucht seine Engine ({size} GB).</translation>
  </message>
  <message>
   <source>Model (*.safetensors)</source>
   <translation>Modell (*.safetensors)</translation>
  </message>
  <message>
   <source>Model</source>
   <translation>Modell</translation>
  </message>
  <message>
   <source>Classes</source>
   <translation>Klassen</translation>
  </message>
  <message>
   <source>Bands</source>
   <translation>Kanäle</translation>
  </message>
  <message>
   <source>Pixel size</source>
   <translation>Pixelgröße</translation>
  </message>
  <message>
   <source>Mean IoU</source>
   <translation>Mittlere IoU</translation>
  </message>
  <message>
   <source>Date</source>
   <translation>Datum</translation>
  </message>
  <message>
   <source>Choose a model file</source>
   <translation>Modelldatei wählen</translation>
  </message>
  <message>
   <source>unknown</source>
   <translation>unbekannt</translation>
  </message>
  <message>
   <source>not measured</source>
   <translation>nicht gemessen</translation>
  </message>
  <message>
   <source>Open the model store</source>
   <translation>Modellablage öffnen</translation>
  </message>
  <message>
   <source>Choose a model</source>
   <translation>Modell wählen</translation>
  </message>
  <message>
   <source>No model yet: train one, or choose a file</source>
   <translation>Noch kein Modell: eines trainieren oder eine Datei wählen</translation>
  </message>
  <message>
   <source>Remove the engine from {folder}? Models and logs stay.</source>
   <translation>Die Engine aus {folder} entfernen? Modelle und Protokolle bleiben.</translation>
  </message>
  <message>
   <source>Engine</source>
   <translation>Engine</translation>
  </message>
  <message>
   <source>Repair</source>
   <translation>Reparieren</translation>
  </message>
  <message>
   <source>Remove</source>
   <translation>Entfernen</translation>
  </message>
  <message>
   <source>Cancel</source>
   <translation>Abbrechen</translation>
  </message>
  <message>
   <source>Settings</source>
   <translation>Einstellungen</translation>
  </message>
  <message>
   <source>Python of the engine</source>
   <translation>Python der Engine</translation>
  </message>
  <message>
   <source>A Python that has the engine's libraries. Empty: the installed one is found by itself.</source>
   <translation>Ein Python mit den Bibliotheken der Engine. Leer: das installierte wird von selbst gefunden.</translation>
  </message>
  <message>
   <source>The engine that is installed here computes on the processor, on Apple computers also on their GPU. To use an NVIDIA GPU, name a Python that has the engine's libraries and a CUDA build of torch.</source>
   <translation>Die hier installierte Engine rechnet auf dem Prozessor, auf Apple-Computern auch auf deren GPU. Für eine NVIDIA-GPU ein Python angeben, das die Bibliotheken der Engine und torch mit CUDA hat.</translation>
  </message>
  <message>
   <source>Open the guide</source>
   <translation>Handbuch öffnen</translation>
  </message>
  <message>
   <source>Open the folder of models and logs</source>
   <translation>Ordner der Modelle und Protokolle öffnen</translation>
  </message>
  <message>
   <source>Remove the parts</source>
   <translation>Die Teile löschen</translation>
  </message>
  <message>
   <source>Cancelled. Nothing was changed.</source>
   <translation>Abgebrochen. Nichts wurde verändert.</translation>
  </message>
  <message>
   <source>Parts of interrupted maps take {size} MB. With them a map goes on where it stopped when it is run again.</source>
   <translation>Teile unterbrochener Karten belegen {size} MB. Mit ihnen geht eine Karte, die noch einmal gerechnet wird, dort weiter, wo sie stehen blieb.</translation>
  </message>
  <message>
   <source>All lines are in the log panel, tab SatDiFuser.</source>
   <translation>Alle Zeilen stehen im Protokollfenster, Reiter SatDiFuser.</translation>
  </message>
  <message>
   <source>{task}: done.</source>
   <translation>{task}: fertig.</translation>
  </message>
  <message>
   <source>Installing the engine of SatDiFuser</source>
   <translation>Engine von SatDiFuser installieren</translation>
  </message>
  <message>
   <source>Repairing the engine of SatDiFuser</source>
   <translation>Engine von SatDiFuser reparieren</translation>
  </message>
  <message>
   <source>Removing the engine of SatDiFuser</source>
   <translation>Engine von SatDiFuser entfernen</translation>
  </message>
  <message>
   <source>Trying the Python of the engine</source>
   <translation>Python der Engine ausprobieren</translation>
  </message>
  <message>
   <source>Cancelling…</source>
   <translation>Wird abgebrochen…</translation>
  </message>
  <message>
   <source>Name of a model, or a file</source>
   <translation>Name eines Modells oder eine Datei</translation>
  </message>
  <message>
   <source>Check the installation</source>
   <translation>Installation prüfen</translation>
  </message>
  <message>
   <source>Says which versions, devices and models are there, and what is missing.</source>
   <translation>Sagt, welche Versionen, Geräte und Modelle da sind und was fehlt.</translation>
  </message>
  <message>
   <source>Says first whether everything is ready, or what is missing and how to mend it. Below come versions, devices, memory, disk space, models and the last error. This block of text holds no names of users and no secrets, so it can be pasted into a report.</source>
   <translation>Sagt zuerst, ob alles bereit ist, oder was fehlt und wie es behoben wird. Darunter stehen Versionen, Geräte, Arbeitsspeicher, Plattenplatz, Modelle und der letzte Fehler. Der Textblock enthält weder Benutzernamen noch Geheimnisse und kann in eine Meldung eingefügt werden.</translation>
  </message>
  <message>
   <source>diagnose,installation,environment,version,GPU,CUDA,problem,troubleshooting,setup</source>
   <translation>Diagnose,Installation,Umgebung,Version,GPU,CUDA,Problem,Fehlersuche,Einrichtung</translation>
  </message>
  <message>
   <source>Summary</source>
   <translation>Zusammenfassung</translation>
  </message>
  <message>
   <source>Map land cover with a model</source>
   <translation>Landbedeckung mit einem Modell kartieren</translation>
  </message>
  <message>
   <source>Assigns a land-cover class to every pixel of an image with a trained model.</source>
   <translation>Weist jedem Pixel eines Bildes mit einem trainierten Modell eine Landbedeckungsklasse zu.</translation>
  </message>
  <message>
   <source>Assigns one of a model's classes to every pixel of an image, which need not be the one that the model was trained on. The map is a Cloud Optimized GeoTIFF on the grid of the image, with the names and colours of the classes. Nodata stays nodata. Train a model first with “Train a land-cover model”.</source>
   <translation>Weist jedem Pixel eines Bildes eine der Klassen eines Modells zu; das Bild muss nicht das sein, mit dem das Modell trainiert wurde. Die Karte ist ein Cloud Optimized GeoTIFF im Raster des Bildes, mit Namen und Farben der Klassen. Pixel ohne Daten bleiben ohne Daten. Zuerst ein Modell mit „Landbedeckungsmodell trainieren“ trainieren.</translation>
  </message>
  <message>
   <source>classification,classify,land use,land cover,LULC,supervised,deep learning,AI,segmentation,prediction,inference,map,satellite,aerial,diffusion</source>
   <translation>Klassifikation,klassifizieren,Landnutzung,Landbedeckung,LULC,überwacht,Deep Learning,KI,Segmentierung,Vorhersage,Inferenz,Karte,Satellit,Luftbild,Diffusion</translation>
  </message>
  <message>
   <source>The image to map: a raster file. It may show another place and date than the training image.</source>
   <translation>Das zu kartierende Bild: eine Rasterdatei. Es darf einen anderen Ort und ein anderes Datum zeigen als das Trainingsbild.</translation>
  </message>
  <message>
   <source>The land-cover model. The list holds the models of your model store, with their classes, bands, pixel size, mean IoU in validation and date. The path of another model file (.safetensors) or just the name of a model can be written too.</source>
   <translation>Das Landbedeckungsmodell. Die Liste enthält die Modelle der eigenen Modellablage, mit Klassen, Kanälen, Pixelgröße, mittlerer IoU der Validierung und Datum. Auch der Pfad einer anderen Modelldatei (.safetensors) oder nur der Name eines Modells kann eingegeben werden.</translation>
  </message>
  <message>
   <source>The bands of the image that correspond to the model's bands, in their order. Empty: found by their names. On a command line write 3,2,1.</source>
   <translation>Die Kanäle des Bildes, die den Kanälen des Modells entsprechen, in deren Reihenfolge. Leer: nach ihren Namen gefunden. Auf der Kommandozeile 3,2,1 schreiben.</translation>
  </message>
  <message>
   <source>The area to map, extended to whole pixels. Empty: the whole image. The result is the same as in a map of the whole image.</source>
   <translation>Die zu kartierende Fläche, auf ganze Pixel erweitert. Leer: das ganze Bild. Das Ergebnis ist dasselbe wie in einer Karte des ganzen Bildes.</translation>
  </message>
  <message>
   <source>Patches of the map below this area are merged into the neighbour with the longest common border; polygons and areas follow. In square metres, or in pixels where the image has no CRS. 0: every patch stays.</source>
   <translation>Flächen der Karte unter dieser Größe gehen in dem Nachbarn mit der längsten gemeinsamen Grenze auf; Polygone und Flächenangaben folgen. In Quadratmetern, oder in Pixeln, wo das Bild kein KBS hat. 0: alle Flächen bleiben.</translation>
  </message>
  <message>
   <source>Polygons below this area are merged into a neighbour. In square metres, or in pixels where the image has no CRS. The raster is not changed.</source>
   <translation>Polygone unter dieser Größe gehen in einem Nachbarn auf. In Quadratmetern, oder in Pixeln, wo das Bild kein KBS hat. Das Raster bleibt unverändert.</translation>
  </message>
  <message>
   <source>The borders of polygons are simplified by about this distance; neighbours keep their common border. 0: borders follow the pixels. Simplifying holds all polygons in memory, following the pixels does not.</source>
   <translation>Die Grenzen der Polygone werden um etwa diese Entfernung vereinfacht; Nachbarn behalten ihre gemeinsame Grenze. 0: Grenzen folgen den Pixeln. Das Vereinfachen hält alle Polygone im Arbeitsspeicher, das Folgen der Pixel nicht.</translation>
  </message>
  <message>
   <source>The image is mapped in square tiles. The more neighbouring tiles overlap, the less their seams show and the longer the mapping takes.</source>
   <translation>Das Bild wird in quadratischen Kacheln kartiert. Je mehr sich benachbarte Kacheln überlappen, desto weniger sind ihre Nähte zu sehen und desto länger dauert die Kartierung.</translation>
  </message>
  <message>
   <source>How many tiles are computed together. It changes speed and memory, not the map. 0: automatic.</source>
   <translation>Wie viele Kacheln zusammen berechnet werden. Das ändert Geschwindigkeit und Speicherbedarf, nicht die Karte. 0: automatisch.</translation>
  </message>
  <message>
   <source>The map: a GeoTIFF of class codes with names and colours.</source>
   <translation>Die Karte: ein GeoTIFF mit Klassencodes, Namen und Farben.</translation>
  </message>
  <message>
   <source>The map as polygons without gaps or overlaps, with class, name, area and confidence.</source>
   <translation>Die Karte als Polygone ohne Lücken und Überlappungen, mit Klasse, Name, Fläche und Konfidenz.</translation>
  </message>
  <message>
   <source>The probability of each class, 0 to 1, one band per class.</source>
   <translation>Die Wahrscheinlichkeit jeder Klasse, 0 bis 1, ein Kanal je Klasse.</translation>
  </message>
  <message>
   <source>How uncertain the model is: 0 where one class is certain, 1 where all are equally likely.</source>
   <translation>Wie unsicher das Modell ist: 0, wo eine Klasse sicher ist, 1, wo alle gleich wahrscheinlich sind.</translation>
  </message>
  <message>
   <source>A page with the area of each class in hectares and per cent, and how the map was made.</source>
   <translation>Eine Seite mit der Fläche jeder Klasse in Hektar und Prozent und damit, wie die Karte entstand.</translation>
  </message>
  <message>
   <source>Image</source>
   <translation>Bild</translation>
  </message>
  <message>
   <source>Extent</source>
   <translation>Ausdehnung</translation>
  </message>
  <message>
   <source>Smallest patch [m²]</source>
   <translation>Kleinste Fläche [m²]</translation>
  </message>
  <message>
   <source>Smallest polygon [m²]</source>
   <translation>Kleinstes Polygon [m²]</translation>
  </message>
  <message>
   <source>Simplify borders by</source>
   <translation>Grenzen vereinfachen um</translation>
  </message>
  <message>
   <source>Device</source>
   <translation>Gerät</translation>
  </message>
  <message>
   <source>Overlap of tiles [%]</source>
   <translation>Überlappung der Kacheln [%]</translation>
  </message>
  <message>
   <source>Automatic</source>
   <translation>Automatisch</translation>
  </message>
  <message>
   <source>Land cover</source>
   <translation>Landbedeckung</translation>
  </message>
  <message>
   <source>Polygons</source>
   <translation>Polygone</translation>
  </message>
  <message>
   <source>Probabilities</source>
   <translation>Wahrscheinlichkeiten</translation>
  </message>
  <message>
   <source>Entropy</source>
   <translation>Entropie</translation>
  </message>
  <message>
   <source>Report</source>
   <translation>Bericht</translation>
  </message>
  <message>
   <source>Report (*.html)</source>
   <translation>Bericht (*.html)</translation>
  </message>
  <message>
   <source>Seconds</source>
   <translation>Sekunden</translation>
  </message>
  <message>
   <source>Megapixels per second</source>
   <translation>Megapixel pro Sekunde</translation>
  </message>
  <message>
   <source>Seam ratio (1 = no visible seams)</source>
   <translation>Verhältnis an Kachelnähten (1 = keine sichtbaren Nähte)</translation>
  </message>
  <message>
   <source>Device used</source>
   <translation>Benutztes Gerät</translation>
  </message>
  <message>
   <source>Area of each class (JSON)</source>
   <translation>Fläche jeder Klasse (JSON)</translation>
  </message>
  <message>
   <source>Tiles at once</source>
   <translation>Kacheln zugleich</translation>
  </message>
  <message>
   <source>{image} – land cover</source>
   <translation>{image} – Landbedeckung</translation>
  </message>
  <message>
   <source>{image} – land cover polygons</source>
   <translation>{image} – Landbedeckung, Polygone</translation>
  </message>
  <message>
   <source>{image} – class probabilities</source>
   <translation>{image} – Klassenwahrscheinlichkeiten</translation>
  </message>
  <message>
   <source>{image} – entropy</source>
   <translation>{image} – Entropie</translation>
  </message>
  <message>
   <source>Install the engine</source>
   <translation>Engine installieren</translation>
  </message>
  <message>
   <source>Installs or repairs what computes the maps, outside QGIS's own Python.</source>
   <translation>Installiert oder repariert, was die Karten berechnet, außerhalb von QGIS' eigenem Python.</translation>
  </message>
  <message>
   <source>Installs the engine that does the computing (PyTorch and other libraries) for this user. An engine that is there is tried, and made again where it is outdated or does not work. The same can be done, and undone, in Settings &gt; Options &gt; SatDiFuser.</source>
   <translation>Installiert für diesen Benutzer die Engine, die rechnet (PyTorch und andere Bibliotheken). Eine vorhandene Engine wird geprüft und neu erstellt, wo sie veraltet ist oder nicht arbeitet. Dasselbe kann in Einstellungen &gt; Optionen &gt; SatDiFuser getan und rückgängig gemacht werden.</translation>
  </message>
  <message>
   <source>install,engine,environment,setup,repair,dependencies,PyTorch,torch,libraries,download</source>
   <translation>installieren,Engine,Umgebung,Einrichtung,reparieren,Abhängigkeiten,PyTorch,torch,Bibliotheken,herunterladen</translation>
  </message>
  <message>
   <source>The old engine stays until the new one works.</source>
   <translation>Die alte Engine bleibt, bis die neue arbeitet.</translation>
  </message>
  <message>
   <source>Install again, even where it works</source>
   <translation>Neu installieren, auch wenn sie arbeitet</translation>
  </message>
  <message>
   <source>Versions</source>
   <translation>Versionen</translation>
  </message>
  <message>
   <source>Size on disk (MB)</source>
   <translation>Größe auf der Platte (MB)</translation>
  </message>
  <message>
   <source>Train a land-cover model</source>
   <translation>Landbedeckungsmodell trainieren</translation>
  </message>
  <message>
   <source>Trains a model that maps land cover, from labels on one or more images.</source>
   <translation>Trainiert aus Labels auf einem oder mehreren Bildern ein Modell, das Landbedeckung kartiert.</translation>
  </message>
  <message>
   <source>Trains a model from labels: polygons, lines or points with a class in one of their fields, or class rasters. What is not labelled is ignored, so a few labels of each class, well spread, are enough. Part of the labelled area is set aside for validation, in spatial blocks, so that the scores are honest; the report shows them. Then use “Map land cover with a model” on this image or others.</source>
   <translation>Trainiert ein Modell aus Labels: Polygonen, Linien oder Punkten mit einer Klasse in einem ihrer Felder, oder Klassenrastern. Was kein Label hat, wird übergangen; wenige gut verteilte Labels je Klasse genügen also. Ein Teil der Fläche mit Labels wird in räumlichen Blöcken für die Validierung beiseitegelegt, damit die Gütemaße ehrlich sind; der Bericht zeigt sie. Danach „Landbedeckung mit einem Modell kartieren“ auf dieses oder andere Bilder anwenden.</translation>
  </message>
  <message>
   <source>classification,classify,land use,land cover,LULC,supervised,training,samples,deep learning,AI,machine learning,segmentation,satellite,aerial,diffusion</source>
   <translation>Klassifikation,klassifizieren,Landnutzung,Landbedeckung,LULC,überwacht,Training,Trainingsflächen,Deep Learning,KI,maschinelles Lernen,Segmentierung,Satellit,Luftbild,Diffusion</translation>
  </message>
  <message>
   <source>The training image: a raster file with red, green and blue bands.</source>
   <translation>Das Trainingsbild: eine Rasterdatei mit rotem, grünem und blauem Kanal.</translation>
  </message>
  <message>
   <source>Polygons, lines or points where the class is known. Filter and selection are respected. Not needed where label rasters are given.</source>
   <translation>Polygone, Linien oder Punkte, deren Klasse bekannt ist. Filter und Auswahl werden beachtet. Nicht nötig, wo Klassenraster angegeben sind.</translation>
  </message>
  <message>
   <source>The field of the labels that holds the class, as text or whole number. Names, colours and order are taken from a categorised style on this field. Empty: the field of the labels' categorised style.</source>
   <translation>Das Feld der Labels mit der Klasse, als Text oder ganze Zahl. Namen, Farben und Reihenfolge kommen aus einem kategorisierten Stil auf diesem Feld. Leer: das Feld des kategorisierten Stils der Labels.</translation>
  </message>
  <message>
   <source>Rasters of class codes. Each is used for every image that it covers. Not labelled are nodata, 0 without a name, and what the legend calls "Unclassified", "No data" or "Masked".</source>
   <translation>Raster von Klassencodes. Jedes gilt für alle Bilder, die es überdeckt. Ohne Label sind Pixel ohne Daten, 0 ohne Namen und was die Legende „Unclassified“, „No data“ oder „Masked“ nennt.</translation>
  </message>
  <message>
   <source>Further training images; labels and label rasters serve them too. The same bands in the same order.</source>
   <translation>Weitere Trainingsbilder; Labels und Klassenraster gelten auch für sie. Dieselben Kanäle in derselben Reihenfolge.</translation>
  </message>
  <message>
   <source>Three bands in the order red, green, blue. Empty: found by band description, then by colour, then 1, 2, 3. On a command line write 3,2,1.</source>
   <translation>Drei Kanäle in der Reihenfolge Rot, Grün, Blau. Leer: nach Kanalbeschreibung gefunden, dann nach Farbe, dann 1, 2, 3. Auf der Befehlszeile 3,2,1 schreiben.</translation>
  </message>
  <message>
   <source>How pixel values are scaled for the network. Constants keep differences between images; percentiles even them out, which helps where images were stretched one by one. Automatic: with several images validation chooses between the two, with one image constants are taken.</source>
   <translation>Wie Pixelwerte für das Netz skaliert werden. Konstanten erhalten Unterschiede zwischen Bildern; Perzentile gleichen sie aus, was hilft, wo Bilder einzeln gestreckt wurden. Automatisch: bei mehreren Bildern wählt die Validierung zwischen beiden, bei einem Bild gelten Konstanten.</translation>
  </message>
  <message>
   <source>The value that means full brightness; for the scaling “Divide by a number” only.</source>
   <translation>Der Wert, der volle Helligkeit bedeutet; nur für die Skalierung „Durch eine Zahl teilen“.</translation>
  </message>
  <message>
   <source>Share of the labelled area that is set aside to measure the model, in spatial blocks, so that neighbouring pixels do not flatter the scores. 0: none, and no scores; pixel values and features then weigh the same.</source>
   <translation>Anteil der Fläche mit Labels, der in räumlichen Blöcken beiseitegelegt wird, um das Modell zu messen, damit benachbarte Pixel die Gütemaße nicht schönen. 0: keine Validierung und keine Gütemaße; Pixelwerte und Merkmale zählen dann gleich viel.</translation>
  </message>
  <message>
   <source>Trains on the band values themselves beside the diffusion features: in the head, and in a classifier of single pixels and the 5 × 5 around them. Validation decides how much head and classifier weigh in the map; with few labels it is often the classifier alone.</source>
   <translation>Trainiert neben den Diffusionsmerkmalen auf den Kanalwerten selbst: im Kopf und in einem Klassifikator einzelner Pixel mit ihrer Umgebung von 5 × 5. Die Validierung entscheidet, wie viel Kopf und Klassifikator in der Karte zählen; bei wenigen Labels ist es oft der Klassifikator allein.</translation>
  </message>
  <message>
   <source>Fine-tuned: after fusion and head, the backbone is trained together with them on your labels. This takes several times as long; the result is kept only where validation improves, and is stored in the model. For compact backbones, such as the embedded one.</source>
   <translation>Nachtrainiert: nach Fusion und Kopf wird das Backbone mit ihnen zusammen auf den Labels trainiert. Das dauert mehrmals so lange; das Ergebnis bleibt nur, wo die Validierung besser wird, und wird im Modell gespeichert. Für kompakte Netze wie das mitgelieferte.</translation>
  </message>
  <message>
   <source>Starting point of all random choices. The same seed gives the same model.</source>
   <translation>Ausgangspunkt aller Zufallswahlen. Derselbe Wert ergibt dasselbe Modell.</translation>
  </message>
  <message>
   <source>How many times training goes through the labels. 0: until validation no longer improves.</source>
   <translation>Wie oft das Training die Labels durchläuft. 0: bis die Validierung nicht mehr besser wird.</translation>
  </message>
  <message>
   <source>A network trained on photographs whose maps are read beside the diffusion features. What each counts for in the map is told by validation, see the report. Automatic: EfficientNet-Lite2, which the engine brings; it reads nothing where “Use the pixel values too” is off.</source>
   <translation>Ein an Fotos trainiertes Netz, dessen Karten neben den Diffusionsmerkmalen gelesen werden. Was beide in der Karte zählen, sagt die Validierung, siehe Bericht. Automatisch: EfficientNet-Lite2, das die Engine mitbringt; ohne „Auch die Pixelwerte verwenden“ liest es nichts.</translation>
  </message>
  <message>
   <source>The pretrained diffusion network that computes the features: a folder in the layout of diffusers, or the name of one that comes with the plugin. Empty: the embedded one.</source>
   <translation>Das vortrainierte Diffusionsnetz, das die Merkmale berechnet: ein Ordner im Aufbau von diffusers oder der Name eines mitgelieferten. Leer: das eingebaute.</translation>
  </message>
  <message>
   <source>How the image is brought to the noise level of each timestep before its features are read. Clean reads it once, without noise: the embedded backbone can, other folders in pixel space need a network for it, DiffusionSat's cannot. Automatic: the backbone's own choice.</source>
   <translation>Wie das Bild auf die Rauschstufe jedes Zeitschritts gebracht wird, bevor seine Merkmale gelesen werden. „Sauber“ liest es einmal, ohne Rauschen: das eingebaute Netz kann das, andere Ordner im Pixelraum brauchen dafür ein Netz, die von DiffusionSat können es nicht. Automatisch: wie das Netz es vorsieht.</translation>
  </message>
  <message>
   <source>Noise levels of the backbone at which features are read, 0 (no noise) to 999, like 1, 101, 201. Empty: the backbone's own choice.</source>
   <translation>Rauschstufen des Netzes, bei denen Merkmale gelesen werden, 0 (kein Rauschen) bis 999, etwa 1, 101, 201. Leer: wie das Netz es vorsieht.</translation>
  </message>
  <message>
   <source>How features of several timesteps and layers are merged into one: with one weight each (global), with weights that change with the place (localized), or by experts between which a gate chooses (mixture). Automatic: global.</source>
   <translation>Wie Merkmale mehrerer Zeitschritte und Schichten zu einem verbunden werden: mit je einem Gewicht (global), mit Gewichten, die sich mit dem Ort ändern (lokal), oder durch Experten, zwischen denen ein Gatter wählt (Mischung). Automatisch: global.</translation>
  </message>
  <message>
   <source>The decoder head that turns fused features into classes. UPerNet is larger and needs more labels. Automatic: light.</source>
   <translation>Der Kopf des Decoders, der aus verbundenen Merkmalen Klassen macht. UPerNet ist größer und braucht mehr Labels. Automatisch: leicht.</translation>
  </message>
  <message>
   <source>The model file. A copy is kept in your model store, from where “Map land cover with a model” offers it.</source>
   <translation>Die Modelldatei. Eine Kopie bleibt in der Modellablage, aus der „Landbedeckung mit einem Modell kartieren“ sie anbietet.</translation>
  </message>
  <message>
   <source>A page that shows how good the model is, class by class, and how it was made.</source>
   <translation>Eine Seite, die Klasse für Klasse zeigt, wie gut das Modell ist und wie es entstand.</translation>
  </message>
  <message>
   <source>{name}: "{field}", by which "{layer}" is drawn.</source>
   <translation>{name}: „{field}“, nach dem „{layer}“ gezeichnet wird.</translation>
  </message>
  <message>
   <source>(or label rasters)</source>
   <translation>(oder Klassenraster)</translation>
  </message>
  <message>
   <source>(of the labels)</source>
   <translation>(der Labels)</translation>
  </message>
  <message>
   <source>Label rasters</source>
   <translation>Klassenraster</translation>
  </message>
  <message>
   <source>More images</source>
   <translation>Weitere Bilder</translation>
  </message>
  <message>
   <source>Bands (red, green, blue)</source>
   <translation>Kanäle (Rot, Grün, Blau)</translation>
  </message>
  <message>
   <source>Scaling of values</source>
   <translation>Skalierung der Werte</translation>
  </message>
  <message>
   <source>Share for validation</source>
   <translation>Anteil für die Validierung</translation>
  </message>
  <message>
   <source>Use the pixel values too</source>
   <translation>Auch die Pixelwerte benutzen</translation>
  </message>
  <message>
   <source>Training of the backbone</source>
   <translation>Training des Backbones</translation>
  </message>
  <message>
   <source>Seed</source>
   <translation>Startwert</translation>
  </message>
  <message>
   <source>Encoder</source>
   <translation>Encoder</translation>
  </message>
  <message>
   <source>Backbone</source>
   <translation>Backbone</translation>
  </message>
  <message>
   <source>Extraction</source>
   <translation>Extraktion</translation>
  </message>
  <message>
   <source>Timesteps</source>
   <translation>Zeitschritte</translation>
  </message>
  <message>
   <source>Fusion</source>
   <translation>Fusion</translation>
  </message>
  <message>
   <source>Head</source>
   <translation>Kopf</translation>
  </message>
  <message>
   <source>Mean intersection over union</source>
   <translation>Mittlere Intersection over Union</translation>
  </message>
  <message>
   <source>Mean F1</source>
   <translation>Mittleres F1</translation>
  </message>
  <message>
   <source>Overall accuracy</source>
   <translation>Gesamtgenauigkeit</translation>
  </message>
  <message>
   <source>Number of classes</source>
   <translation>Anzahl der Klassen</translation>
  </message>
  <message>
   <source>Name of the model</source>
   <translation>Name des Modells</translation>
  </message>
  <message>
   <source>Labels</source>
   <translation>Labels</translation>
  </message>
  <message>
   <source>Class field</source>
   <translation>Klassenfeld</translation>
  </message>
  <message>
   <source>Divisor</source>
   <translation>Teiler</translation>
  </message>
  <message>
   <source>Epochs</source>
   <translation>Epochen</translation>
  </message>
  <message>
   <source>There are no labels. Choose a vector layer under “{labels}” and the field with its classes under “{field}”, or rasters of class codes under “{rasters}”.</source>
   <translation>Es gibt keine Labels. Unter „{labels}“ einen Vektorlayer und unter „{field}“ das Feld mit seinen Klassen wählen, oder unter „{rasters}“ Raster von Klassencodes.</translation>
  </message>
  <message>
   <source>{name}: {path} is a training image and cannot be its own labels. Choose a raster of class codes.</source>
   <translation>{name}: {path} ist ein Trainingsbild und kann nicht sein eigenes Klassenraster sein. Ein Raster von Klassencodes wählen.</translation>
  </message>
  <message>
   <source>Features</source>
   <translation>Merkmale</translation>
  </message>
  <message>
   <source>Sampling</source>
   <translation>Stichproben</translation>
  </message>
  <message>
   <source>Set-up</source>
   <translation>Einrichtung</translation>
  </message>
  <message>
   <source>Starting the engine</source>
   <translation>Engine wird gestartet</translation>
  </message>
  <message>
   <source>{name}: {value} cannot be used. Choose another value.</source>
   <translation>{name}: {value} kann nicht verwendet werden. Einen anderen Wert wählen.</translation>
  </message>
  <message>
   <source>{name} is empty. Choose a value.</source>
   <translation>{name} ist leer. Einen Wert wählen.</translation>
  </message>
  <message>
   <source>The style was not saved: {problem}</source>
   <translation>Der Stil wurde nicht gespeichert: {problem}</translation>
  </message>
  <message>
   <source>Where the computing is done. Automatic takes a GPU that the engine can use. The engine that the plugin installs can use the GPU of Apple computers only, and the processor elsewhere; for an NVIDIA GPU name a Python with a CUDA build of torch in Settings &gt; Options &gt; SatDiFuser, or in the variable SATDIFUSER_ENGINE_PYTHON.</source>
   <translation>Wo gerechnet wird. „Automatisch“ nimmt eine GPU, die die Engine nutzen kann. Die Engine, die das Plugin installiert, kann nur die GPU von Apple-Computern nutzen und rechnet sonst auf dem Prozessor; für eine NVIDIA-GPU ein Python mit torch für CUDA angeben, unter Einstellungen &gt; Optionen &gt; SatDiFuser oder in der Variablen SATDIFUSER_ENGINE_PYTHON.</translation>
  </message>
  <message>
   <source>Constants of the training images</source>
   <translation>Konstanten der Trainingsbilder</translation>
  </message>
  <message>
   <source>Percentiles of each image</source>
   <translation>Perzentile jedes Bildes</translation>
  </message>
  <message>
   <source>Divide by a number</source>
   <translation>Durch eine Zahl teilen</translation>
  </message>
  <message>
   <source>As is (0 to 1 become -1 to 1)</source>
   <translation>Wie sie sind (0 bis 1 wird -1 bis 1)</translation>
  </message>
  <message>
   <source>Global weights</source>
   <translation>Globale Gewichte</translation>
  </message>
  <message>
   <source>Localized weights</source>
   <translation>Lokale Gewichte</translation>
  </message>
  <message>
   <source>Mixture of experts</source>
   <translation>Mischung von Experten</translation>
  </message>
  <message>
   <source>Light (per pixel)</source>
   <translation>Leicht (je Pixel)</translation>
  </message>
  <message>
   <source>UPerNet</source>
   <translation>UPerNet</translation>
  </message>
  <message>
   <source>Noised (one step per timestep)</source>
   <translation>Verrauscht (ein Schritt je Zeitschritt)</translation>
  </message>
  <message>
   <source>Inversion (a chain of steps)</source>
   <translation>Inversion (eine Kette von Schritten)</translation>
  </message>
  <message>
   <source>Clean (no noise)</source>
   <translation>Sauber (ohne Rauschen)</translation>
  </message>
  <message>
   <source>None (diffusion features and pixels only)</source>
   <translation>Keiner (nur Diffusionsmerkmale und Pixel)</translation>
  </message>
  <message>
   <source>Frozen (only fusion and head are trained)</source>
   <translation>Eingefroren (nur Fusion und Kopf werden trainiert)</translation>
  </message>
  <message>
   <source>Fine-tuned (where validation improves)</source>
   <translation>Nachtrainiert (wo die Validierung besser wird)</translation>
  </message>
  <message>
   <source>CPU</source>
   <translation>CPU</translation>
  </message>
  <message>
   <source>CUDA (NVIDIA)</source>
   <translation>CUDA (NVIDIA)</translation>
  </message>
  <message>
   <source>MPS (Apple)</source>
   <translation>MPS (Apple)</translation>
  </message>
  <message>
   <source>Choose the field that holds the classes, or draw several labels a class.</source>
   <translation>Das Feld mit den Klassen wählen oder mehrere Labels je Klasse zeichnen.</translation>
  </message>
  <message>
   <source>{name}: "{field}" has another value in each of the {count} labels. Is it the class field?</source>
   <translation>{name}: „{field}“ hat in jedem der {count} Labels einen anderen Wert. Ist es das Klassenfeld?</translation>
  </message>
  <message>
   <source>Fields that look like one: {fields}.</source>
   <translation>Felder, die danach aussehen: {fields}.</translation>
  </message>
  <message>
   <source>{name}: {path} holds several layers that could be meant: {layers}. Add one to the project and choose it there, or unpack the file.</source>
   <translation>{name}: {path} enthält mehrere Layer, die gemeint sein könnten: {layers}. Einen zum Projekt hinzufügen und dort wählen, oder die Datei entpacken.</translation>
  </message>
  <message>
   <source>{name}: {path} holds several layers that could be meant: {layers}. Name one, such as {example} or add it to the project and choose it there. Merge vector layers in the Toolbox makes one layer of several.</source>
   <translation>{name}: {path} enthält mehrere Layer, die gemeint sein könnten: {layers}. Einen nennen, etwa {example}, oder ihn zum Projekt hinzufügen und dort wählen. „Vektorlayer zusammenführen“ in der Werkzeugkiste macht aus mehreren einen Layer.</translation>
  </message>
  <message>
   <source>Did you mean "{meant}"?</source>
   <translation>War „{meant}“ gemeint?</translation>
  </message>
  <message>
   <source>{name}: {path} holds several layers; "{layer}" is taken, the only one with the field "{field}".</source>
   <translation>{name}: {path} enthält mehrere Layer; „{layer}“ wird genommen, der einzige mit dem Feld „{field}“.</translation>
  </message>
  <message>
   <source>{name}: no layer of {path} has the field "{field}". Its layers are {layers}. {hint}</source>
   <translation>{name}: kein Layer von {path} hat das Feld „{field}“. Seine Layer sind {layers}. {hint}</translation>
  </message>
  <message>
   <source>The engine takes about {size} GB of disk in {folder}; {free} GB must be free there to install it. It is downloaded from PyPI and pytorch.org, which takes some minutes. QGIS's own Python is left alone.</source>
   <translation>Die Engine belegt etwa {size} GB in {folder}; zum Installieren müssen dort {free} GB frei sein. Sie wird von PyPI und pytorch.org heruntergeladen, was einige Minuten dauert. Das Python von QGIS bleibt unberührt.</translation>
  </message>
  <message>
   <source>{origin} names {python}</source>
   <translation>{origin} nennt {python}</translation>
  </message>
  <message>
   <source>The engine is installed, but another is used: {reason}.</source>
   <translation>Die Engine ist installiert, aber eine andere wird verwendet: {reason}.</translation>
  </message>
  <message>
   <source>The engine that does the computing is not installed.</source>
   <translation>Die Engine, die rechnet, ist nicht installiert.</translation>
  </message>
  <message>
   <source>The engine was made for another version of the plugin: Repair brings it up to date (Settings &gt; Options &gt; SatDiFuser).</source>
   <translation>Die Engine wurde für eine andere Version der Erweiterung erstellt: „Reparieren“ bringt sie auf den Stand (Einstellungen &gt; Optionen &gt; SatDiFuser).</translation>
  </message>
  <message>
   <source>the QGIS setting</source>
   <translation>die QGIS-Einstellung</translation>
  </message>
  <message>
   <source>the user's environment</source>
   <translation>die Umgebung dieses Benutzers</translation>
  </message>
  <message>
   <source>the development environment</source>
   <translation>die Entwicklungsumgebung</translation>
  </message>
  <message>
   <source>Install it in {options}, or with “Install the engine” in the Toolbox.</source>
   <translation>In {options} installieren, oder mit „Engine installieren“ in der Werkzeugkiste.</translation>
  </message>
  <message>
   <source>{origin} names the engine's Python {python}, which does not exist. Correct it, or empty it to use the installed engine ({options}).</source>
   <translation>{origin} nennt als Python der Engine {python}, das es nicht gibt. Berichtigen, oder leeren, um die installierte Engine zu verwenden ({options}).</translation>
  </message>
  <message>
   <source>The engine is {python} (from {origin}).</source>
   <translation>Die Engine ist {python} (Quelle: {origin}).</translation>
  </message>
  <message>
   <source>no CRS</source>
   <translation>kein KBS</translation>
  </message>
  <message>
   <source>{name}: "{layer}" is a map with a colour table, not an image. Choose an image, or expand the colours first (Raster &gt; Conversion &gt; PCT to RGB).</source>
   <translation>{name}: „{layer}“ ist eine Karte mit Farbtabelle, kein Bild. Ein Bild wählen, oder zuerst die Farben auflösen (Raster &gt; Konvertierung &gt; PCT nach RGB).</translation>
  </message>
  <message>
   <source>Not ready: {problem}</source>
   <translation>Nicht bereit: {problem}</translation>
  </message>
  <message>
   <source>Ready.</source>
   <translation>Bereit.</translation>
  </message>
  <message>
   <source>Train one first with "Train a land-cover model".</source>
   <translation>Zuerst mit „Landbedeckungsmodell trainieren“ eines trainieren.</translation>
  </message>
  <message>
   <source>{name}: there is no model "{reference}". {hint}</source>
   <translation>{name}: es gibt kein Modell „{reference}“. {hint}</translation>
  </message>
  <message>
   <source>{name}: there is no folder "{reference}" and no shipped backbone of that name. Shipped: {shipped}. Leave it empty for the embedded one.</source>
   <translation>{name}: es gibt keinen Ordner „{reference}“ und kein mitgeliefertes Backbone dieses Namens. Mitgeliefert: {shipped}. Leer lassen für das eingebettete.</translation>
  </message>
  <message>
   <source>names whole scenes</source>
   <translation>benennt ganze Szenen</translation>
  </message>
  <message>
   <source>is made for another task ("{task}")</source>
   <translation>ist für eine andere Aufgabe gemacht („{task}“)</translation>
  </message>
  <message>
   <source>{name}: the model "{model}" {does} and cannot map land cover. Choose a model made by "Train a land-cover model".</source>
   <translation>{name}: das Modell „{model}“ {does} und kann keine Landbedeckung kartieren. Ein mit „Landbedeckungsmodell trainieren“ erstelltes Modell wählen.</translation>
  </message>
  <message>
   <source>Known by name: {names}.</source>
   <translation>Mit Namen bekannt: {names}.</translation>
  </message>
  <message>
   <source>The model "{path}" is damaged or incomplete. Copy or train it again, or choose another file.</source>
   <translation>Das Modell „{path}“ ist beschädigt oder unvollständig. Noch einmal kopieren oder trainieren, oder eine andere Datei wählen.</translation>
  </message>
  <message>
   <source>"{path}" is no model of SatDiFuser ({error}). Choose a file made by "Train a land-cover model".</source>
   <translation>„{path}“ ist kein Modell von SatDiFuser ({error}). Eine Datei wählen, die „Landbedeckungsmodell trainieren“ erstellt hat.</translation>
  </message>
  <message>
   <source>{name}: "{labels}" ({crs}) does not touch {images}. Choose labels in the same place, or correct the CRS of the layer that lies wrong.</source>
   <translation>{name}: „{labels}“ ({crs}) berührt {images} nicht. Labels am selben Ort wählen, oder das KBS des Layers berichtigen, der falsch liegt.</translation>
  </message>
  <message>
   <source>{name}: "{labels}" has no CRS but the image "{image}" has {crs}. Set the layer's CRS (layer menu, Layer CRS).</source>
   <translation>{name}: „{labels}“ hat kein KBS, aber das Bild „{image}“ hat {crs}. Das KBS des Layers setzen (Layermenü, Layer-KBS).</translation>
  </message>
  <message>
   <source>Labels are copied to {path} as QGIS shows them (selection, filter, edits, encoding).</source>
   <translation>Labels werden nach {path} kopiert, wie QGIS sie zeigt (Auswahl, Filter, Änderungen, Kodierung).</translation>
  </message>
  <message>
   <source>Labels are transformed from {source} to {target} ({operation}): {path}</source>
   <translation>Labels werden von {source} nach {target} transformiert ({operation}): {path}</translation>
  </message>
  <message>
   <source>{name}: "{layer}" has no features. Draw some labels first.</source>
   <translation>{name}: „{layer}“ hat keine Objekte. Zuerst einige Labels zeichnen.</translation>
  </message>
  <message>
   <source>{name}: nothing is selected in "{layer}". Select labels, or switch off "Selected features only".</source>
   <translation>{name}: in „{layer}“ ist nichts ausgewählt. Objekte auswählen, oder „Nur gewählte Objekte“ ausschalten.</translation>
  </message>
  <message>
   <source>{name}: the filter of "{layer}" ({filter}) leaves no features. Change the filter.</source>
   <translation>{name}: der Filter von „{layer}“ ({filter}) lässt keine Objekte übrig. Den Filter ändern.</translation>
  </message>
  <message>
   <source>The labels could not be copied to {path}: {problem}. Is the disk full?</source>
   <translation>Die Labels konnten nicht nach {path} kopiert werden: {problem}. Ist die Platte voll?</translation>
  </message>
  <message>
   <source>Labels that cannot be transformed to {crs} are left out there: {count}.</source>
   <translation>Labels, die sich nicht nach {crs} transformieren lassen, werden dort weggelassen: {count}.</translation>
  </message>
  <message>
   <source>Texts of the field "{field}" cannot be read, such as {example}. Set the data source encoding of the layer (layer properties, Source), and train again.</source>
   <translation>Texte des Feldes „{field}“ sind nicht lesbar, etwa {example}. Die Kodierung der Datenquelle des Layers einstellen (Layereigenschaften, Quelle) und erneut trainieren.</translation>
  </message>
  <message>
   <source>{name}: "{layer}" is not a plain raster file (its source is "{provider}"). Save the part that you need as GeoTIFF (layer menu, Export, Save As) and choose that file.</source>
   <translation>{name}: „{layer}“ ist keine gewöhnliche Rasterdatei (die Quelle ist „{provider}“). Den benötigten Teil als GeoTIFF speichern (Layermenü, Export, Speichern als) und diese Datei wählen.</translation>
  </message>
  <message>
   <source>{name}: QGIS shows "{layer}" in {shown}, but its file says {in_file}. The file counts; correct it with "Assign projection" if it is wrong.</source>
   <translation>{name}: QGIS zeigt „{layer}“ in {shown}, aber die Datei sagt {in_file}. Die Datei gilt; wenn sie falsch ist, mit „Projektion zuweisen“ berichtigen.</translation>
  </message>
  <message>
   <source>bytes (letters beyond A to Z take two or more)</source>
   <translation>Bytes (Buchstaben außer A bis Z brauchen zwei oder mehr)</translation>
  </message>
  <message>
   <source>characters</source>
   <translation>Zeichen</translation>
  </message>
  <message>
   <source>{path} is a folder or a device. Choose a file.</source>
   <translation>{path} ist ein Ordner oder ein Gerät. Eine Datei wählen.</translation>
  </message>
  <message>
   <source>{path} is a link that leads back to itself. Remove it, or choose another file.</source>
   <translation>{path} ist eine Verknüpfung, die auf sich selbst zurückführt. Sie entfernen oder eine andere Datei wählen.</translation>
  </message>
  <message>
   <source>the name {path} has {length} {unit}, and its disk takes {limit} with what is written beside it. Choose a shorter name.</source>
   <translation>der Name {path} hat {length} {unit}, und sein Datenträger fasst {limit} mit dem, was daneben geschrieben wird. Einen kürzeren Namen wählen.</translation>
  </message>
  <message>
   <source>{path} is read-only. Choose another file, or allow it to be written first.</source>
   <translation>{path} ist schreibgeschützt. Eine andere Datei wählen, oder zuerst das Schreiben erlauben.</translation>
  </message>
  <message>
   <source>{path} cannot be replaced: another program holds it. Close it there, or choose another file.</source>
   <translation>{path} kann nicht ersetzt werden: ein anderes Programm hält die Datei. Sie dort schließen oder eine andere Datei wählen.</translation>
  </message>
  <message>
   <source>{path} lies there without a shapefile and would be overwritten. Choose another name.</source>
   <translation>{path} liegt dort ohne Shapefile und würde überschrieben. Einen anderen Namen wählen.</translation>
  </message>
  <message>
   <source>{path} cannot be written to. Choose another folder.</source>
   <translation>In {path} kann nicht geschrieben werden. Einen anderen Ordner wählen.</translation>
  </message>
  <message>
   <source>{name}: {path} is no plain path. Write {plain} instead.</source>
   <translation>{name}: {path} ist kein einfacher Pfad. Stattdessen {plain} schreiben.</translation>
  </message>
  <message>
   <source>{name}: {path} cannot be written in that format. Let its name end in {endings}.</source>
   <translation>{name}: {path} kann in diesem Format nicht geschrieben werden. Der Name muss auf {endings} enden.</translation>
  </message>
  <message>
   <source>{name}: {path} already holds {tables}, which would be lost. Choose a new file.</source>
   <translation>{name}: {path} enthält bereits {tables}; das ginge verloren. Eine neue Datei wählen.</translation>
  </message>
  <message>
   <source>{name} and {other} are the same file, {path}. Give one another name.</source>
   <translation>{name} und {other} sind dieselbe Datei, {path}. Einer einen anderen Namen geben.</translation>
  </message>
  <message>
   <source>{name}: {path} is also read as {source} and would be overwritten. Choose another file.</source>
   <translation>{name}: {path} wird auch als {source} gelesen und würde überschrieben. Eine andere Datei wählen.</translation>
  </message>
  <message>
   <source>{name}: {path} is open in the project as "{layer}". Remove that layer first, or choose another file.</source>
   <translation>{name}: {path} ist im Projekt als „{layer}“ geöffnet. Zuerst diesen Layer entfernen, oder eine andere Datei wählen.</translation>
  </message>
  <message>
   <source>{name}: {path} is held by another program, so that it cannot be seen what would be lost. Close it there, or choose a new file.</source>
   <translation>{name}: {path} wird von einem anderen Programm gehalten; es ist nicht zu sehen, was verloren ginge. Die Datei dort schließen oder eine neue wählen.</translation>
  </message>
  <message>
   <source>{name}: the style of {path} would be that of {other} too, since both lie in one folder under one name. Choose another name, or for polygons a GeoPackage.</source>
   <translation>{name}: der Stil von {path} wäre auch der von {other}, da beide unter einem Namen in einem Ordner liegen. Einen anderen Namen wählen, oder für Polygone ein GeoPackage.</translation>
  </message>
  <message>
   <source>There is no parameter "{name}". The parameters are {names}.</source>
   <translation>Es gibt keinen Parameter „{name}“. Die Parameter sind {names}.</translation>
  </message>
  <message>
   <source>There is no parameter "{name}". Did you mean "{meant}"?</source>
   <translation>Es gibt keinen Parameter „{name}“. War „{meant}“ gemeint?</translation>
  </message>
  <message>
   <source>{name}: there is no layer or file "{path}". Check its name, path and spelling.</source>
   <translation>{name}: es gibt weder Layer noch Datei „{path}“. Name, Pfad und Schreibweise prüfen.</translation>
  </message>
  <message>
   <source>{name}: {path} is a folder. Choose the file in it.</source>
   <translation>{name}: {path} ist ein Ordner. Die Datei darin wählen.</translation>
  </message>
  <message>
   <source>{name}: {path} is empty (0 bytes). Save it again, or get it again.</source>
   <translation>{name}: {path} ist leer (0 Bytes). Die Datei neu speichern oder neu beschaffen.</translation>
  </message>
  <message>
   <source>nothing</source>
   <translation>nichts</translation>
  </message>
  <message>
   <source>{name}: the shapefile {path} is incomplete, since {parts} must lie beside it. A shapefile is several files (.shp, .shx, .dbf, .prj and others): copy all of them into one folder.</source>
   <translation>{name}: das Shapefile {path} ist unvollständig, da {parts} daneben liegen muss. Ein Shapefile besteht aus mehreren Dateien (.shp, .shx, .dbf, .prj und weiteren): alle in einen Ordner kopieren.</translation>
  </message>
  <message>
   <source>{name}: {path} holds several rasters: {rasters}. Give one of them as it is written here. Where they are the bands of one image, first make one raster of them (Raster &gt; Miscellaneous &gt; Build Virtual Raster, each input file into a separate band).</source>
   <translation>{name}: {path} enthält mehrere Raster: {rasters}. Eines davon so angeben, wie es hier steht. Wo sie die Kanäle eines Bildes sind, zuerst ein Raster daraus machen (Raster &gt; Sonstiges &gt; Virtuelles Raster erzeugen, jede Eingabedatei in einen eigenen Kanal).</translation>
  </message>
  <message>
   <source>{name}: {path} is a vector file. Choose a raster.</source>
   <translation>{name}: {path} ist eine Vektordatei. Ein Raster wählen.</translation>
  </message>
  <message>
   <source>{name}: {value} is no raster that QGIS can open. Choose another raster.</source>
   <translation>{name}: {value} ist kein Raster, das QGIS öffnen kann. Ein anderes Raster wählen.</translation>
  </message>
  <message>
   <source>{name}: {source} cannot be opened here. Add the layer to the project and choose it there, or unpack the file.</source>
   <translation>{name}: {source} kann hier nicht geöffnet werden. Den Layer zum Projekt hinzufügen und dort wählen, oder die Datei entpacken.</translation>
  </message>
  <message>
   <source>{name}: there is no layer {source}. The layers of that file are {layers}.</source>
   <translation>{name}: es gibt keinen Layer {source}. Die Layer dieser Datei sind {layers}.</translation>
  </message>
  <message>
   <source>{name}: {path} is a raster. Give it as label raster.</source>
   <translation>{name}: {path} ist ein Raster. Es als Klassenraster angeben.</translation>
  </message>
  <message>
   <source>{name}: {value} is no vector layer that QGIS can open. Choose another layer.</source>
   <translation>{name}: {value} ist kein Vektorlayer, den QGIS öffnen kann. Einen anderen Layer wählen.</translation>
  </message>
  <message>
   <source>{name}: "{layer}" is a table without geometries. Where two of its columns hold coordinates, add it by Layer &gt; Add Layer &gt; Add Delimited Text Layer, save that layer as GeoPackage and choose it.</source>
   <translation>{name}: „{layer}“ ist eine Tabelle ohne Geometrien. Wo zwei ihrer Spalten Koordinaten enthalten, sie mit Layer &gt; Layer hinzufügen &gt; Textdatei als Layer hinzufügen laden, diesen Layer als GeoPackage speichern und ihn wählen.</translation>
  </message>
  <message>
   <source>{name}: {count} bands are chosen ({bands}) but {wanted} are needed, in the order red, green, blue. Choose {wanted}, or leave it empty.</source>
   <translation>{name}: {count} Kanäle sind gewählt ({bands}), aber {wanted} sind nötig, in der Reihenfolge Rot, Grün, Blau. {wanted} wählen, oder leer lassen.</translation>
  </message>
  <message>
   <source>{name} is empty. Choose the field of "{layer}" that holds the class: {fields}.</source>
   <translation>{name} ist leer. Das Feld von „{layer}“ wählen, das die Klasse enthält: {fields}.</translation>
  </message>
  <message>
   <source>{name}: the extent ({shown}) is empty. Draw a rectangle, or leave it empty for the whole.</source>
   <translation>{name}: die Ausdehnung ({shown}) ist leer. Ein Rechteck zeichnen, oder für das Ganze leer lassen.</translation>
  </message>
  <message>
   <source>{name}: the extent ({shown}) does not touch "{layer}" ({whole}), both as xmin, ymin, xmax, ymax in the raster's CRS. Choose an extent inside it, or leave it empty for the whole.</source>
   <translation>{name}: die Ausdehnung ({shown}) berührt „{layer}“ ({whole}) nicht, beide als xmin, ymin, xmax, ymax im KBS des Rasters. Eine Ausdehnung darin wählen, oder für das Ganze leer lassen.</translation>
  </message>
  <message>
   <source>{name}: "{word}" is no whole number. Write numbers with commas, like 1, 2, 3.</source>
   <translation>{name}: „{word}“ ist keine ganze Zahl. Zahlen mit Kommas schreiben, wie 1, 2, 3.</translation>
  </message>
  <message>
   <source>{name}: band {band} is chosen but "{layer}" has {count}. Choose from 1 to {count}, or leave it empty.</source>
   <translation>{name}: Kanal {band} ist gewählt, aber „{layer}“ hat {count}. Von 1 bis {count} wählen, oder leer lassen.</translation>
  </message>
  <message>
   <source>{name}: "{layer}" has no field "{field}". Its fields are {fields}. {hint}</source>
   <translation>{name}: „{layer}“ hat kein Feld „{field}“. Die Felder sind {fields}. {hint}</translation>
  </message>
  <message>
   <source>no .qml could be written beside {path}</source>
   <translation>neben {path} konnte keine .qml-Datei geschrieben werden</translation>
  </message>
  <message>
   <source>{path} cannot be opened</source>
   <translation>{path} lässt sich nicht öffnen</translation>
  </message>
 </context>
</TS>
