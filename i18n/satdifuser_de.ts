<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="de" sourcelanguage="en">
 <context>
  <name>SatDiFuser</name>
  <message>
   <source>Install the engine…</source>
   <translation>Engine installieren…</translation>
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
   <source>The engine takes about {size} GB of disk in {folder}; {free} GB must be free there to install it. It is downloaded from PyPI and pytorch.org, which takes some minutes. QGIS's own Python is left alone.</source>
   <translation>Die Engine belegt etwa {size} GB in {folder}; zum Installieren müssen dort {free} GB frei sein. Sie wird von PyPI und pytorch.org heruntergeladen, was einige Minuten dauert. Das Python von QGIS bleibt unberührt.</translation>
  </message>
  <message>
   <source>Parts of interrupted maps take {size} MB. With them a map goes on where it stopped when it is run again.</source>
   <translation>Teile unterbrochener Karten belegen {size} MB. Mit ihnen geht eine Karte, die noch einmal gerechnet wird, dort weiter, wo sie stehen blieb.</translation>
  </message>
  <message>
   <source>Remove the engine from {folder}? Models and logs stay.</source>
   <translation>Die Engine aus {folder} entfernen? Modelle und Protokolle bleiben.</translation>
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
   <source>Check the installation</source>
   <translation>Installation prüfen</translation>
  </message>
  <message>
   <source>Says which versions, devices and models are there, and what is missing.</source>
   <translation>Sagt, welche Versionen, Geräte und Modelle da sind und was fehlt.</translation>
  </message>
  <message>
   <source>Writes versions, devices, memory, disk space, models and the last error as one block of text. It holds no names of users and no secrets, so it can be pasted into a report.</source>
   <translation>Schreibt Versionen, Geräte, Arbeitsspeicher, Plattenplatz, Modelle und den letzten Fehler als einen Textblock. Er enthält keine Benutzernamen und keine Geheimnisse und kann in eine Fehlermeldung kopiert werden.</translation>
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
   <source>Gives every pixel of an image the land-cover class that a trained model sees.</source>
   <translation>Gibt jedem Pixel eines Bildes die Landbedeckungsklasse, die ein trainiertes Modell sieht.</translation>
  </message>
  <message>
   <source>Applies a model to an image that need not be the one it was trained on. The map is a Cloud Optimized GeoTIFF on the grid of the image, with the names and colours of the classes. Pixels without data stay without data. Make a model first with “Train a land-cover model”.</source>
   <translation>Wendet ein Modell auf ein Bild an, auch auf ein anderes als das, mit dem es trainiert wurde. Die Karte ist ein Cloud Optimized GeoTIFF auf dem Raster des Bildes, mit Namen und Farben der Klassen. Pixel ohne Daten bleiben ohne Daten. Zuerst mit „Landbedeckungsmodell trainieren“ ein Modell erstellen.</translation>
  </message>
  <message>
   <source>classification,classify,land use,land cover,LULC,supervised,deep learning,AI,segmentation,prediction,inference,map,satellite,aerial,diffusion</source>
   <translation>Klassifikation,klassifizieren,Landnutzung,Landbedeckung,LULC,überwacht,Deep Learning,KI,Segmentierung,Vorhersage,Inferenz,Karte,Satellit,Luftbild,Diffusion</translation>
  </message>
  <message>
   <source>The image to map: a raster file. It may be of another place and date than the model's.</source>
   <translation>Das Bild, das kartiert wird: eine Rasterdatei. Ort und Datum dürfen andere sein als beim Training.</translation>
  </message>
  <message>
   <source>A model file (.safetensors), or just the name of a model: it is looked up among the models that come with the plugin, then among those that you have trained.</source>
   <translation>Eine Modelldatei (.safetensors) oder nur der Name eines Modells: gesucht wird unter den mitgelieferten Modellen, dann unter den selbst trainierten.</translation>
  </message>
  <message>
   <source>Bands of the image in the order in which the model was trained. Empty: found by name. On a command line write 3,2,1.</source>
   <translation>Kanäle des Bildes in der Reihenfolge, in der das Modell trainiert wurde. Leer: nach Namen gefunden. Auf der Befehlszeile 3,2,1 schreiben.</translation>
  </message>
  <message>
   <source>The part to map; it grows outward to whole pixels. Empty: the whole image. The result is the same as in a map of the whole.</source>
   <translation>Der Ausschnitt, der kartiert wird; er wächst auf ganze Pixel. Leer: das ganze Bild. Das Ergebnis ist dasselbe wie in einer Karte des Ganzen.</translation>
  </message>
  <message>
   <source>How much neighbouring tiles share. More hides seams better and takes longer.</source>
   <translation>Wie viel benachbarte Kacheln gemeinsam haben. Mehr verbirgt Nähte besser und dauert länger.</translation>
  </message>
  <message>
   <source>Polygons below this area join a neighbour. In square metres, in pixels where the image has no CRS. Concerns the polygons only.</source>
   <translation>Kleinere Polygone gehen in einem Nachbarn auf. In Quadratmetern, in Pixeln, wenn das Bild kein KBS hat. Betrifft nur die Polygone.</translation>
  </message>
  <message>
   <source>Borders of polygons are smoothed by about this distance; neighbours keep their common border. 0: borders follow the pixels. Smoothing holds all polygons in memory, drawing along the pixels does not.</source>
   <translation>Grenzen von Polygonen werden um etwa diesen Abstand geglättet; Nachbarn behalten ihre gemeinsame Grenze. 0: Grenzen folgen den Pixeln. Beim Glätten stehen alle Polygone im Arbeitsspeicher, beim Zeichnen entlang der Pixel nicht.</translation>
  </message>
  <message>
   <source>How many tiles are computed together; changes the speed, not the map. 0: automatic.</source>
   <translation>Wie viele Kacheln zusammen berechnet werden; ändert die Geschwindigkeit, nicht die Karte. 0: automatisch.</translation>
  </message>
  <message>
   <source>The map: a GeoTIFF of class codes with names and colours.</source>
   <translation>Die Karte: ein GeoTIFF mit Klassencodes, Namen und Farben.</translation>
  </message>
  <message>
   <source>The map as polygons without gaps and overlaps, with class, name, area and confidence.</source>
   <translation>Die Karte als Polygone ohne Lücken und Überlappungen, mit Klasse, Name, Fläche und Sicherheit.</translation>
  </message>
  <message>
   <source>How sure the model is of each class, 0 to 1, a band a class.</source>
   <translation>Wie sicher das Modell bei jeder Klasse ist, 0 bis 1, ein Kanal je Klasse.</translation>
  </message>
  <message>
   <source>How undecided the model is: 0 where one class is certain, 1 where all are equally likely.</source>
   <translation>Wie unentschieden das Modell ist: 0, wo eine Klasse sicher ist, 1, wo alle gleich wahrscheinlich sind.</translation>
  </message>
  <message>
   <source>Image</source>
   <translation>Bild</translation>
  </message>
  <message>
   <source>Model</source>
   <translation>Modell</translation>
  </message>
  <message>
   <source>Bands</source>
   <translation>Kanäle</translation>
  </message>
  <message>
   <source>Extent</source>
   <translation>Ausdehnung</translation>
  </message>
  <message>
   <source>Overlap of tiles [%]</source>
   <translation>Überlappung der Kacheln [%]</translation>
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
   <source>Tiles at once</source>
   <translation>Kacheln zugleich</translation>
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
   <source>Seconds</source>
   <translation>Sekunden</translation>
  </message>
  <message>
   <source>Megapixels per second</source>
   <translation>Megapixel pro Sekunde</translation>
  </message>
  <message>
   <source>Seams of tiles (1: none to be seen)</source>
   <translation>Nähte der Kacheln (1: keine zu sehen)</translation>
  </message>
  <message>
   <source>Device used</source>
   <translation>Benutztes Gerät</translation>
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
   <source>Train a land-cover model</source>
   <translation>Landbedeckungsmodell trainieren</translation>
  </message>
  <message>
   <source>Learns land-cover classes from labels on an image.</source>
   <translation>Lernt Landbedeckungsklassen aus Trainingsflächen auf einem Bild.</translation>
  </message>
  <message>
   <source>Learns from labels which land cover is where: areas, lines or points with a class in one of their fields, or class rasters. What is not labelled is ignored, so a few labels of each class, well spread, are enough. Part of the labelled ground is held back, in blocks, to say honestly how good the model is; the report tells. Then use “Map land cover with a model” on this image or others.</source>
   <translation>Lernt aus Beispielen, welche Landbedeckung wo ist: aus Flächen, Linien oder Punkten mit einer Klasse in einem ihrer Felder oder aus Klassenrastern. Was keine Klasse hat, wird ignoriert; wenige, gut verteilte Beispiele jeder Klasse genügen. Ein Teil wird in Blöcken zurückgehalten, um ehrlich zu sagen, wie gut das Modell ist; der Bericht zeigt es. Danach „Landbedeckung mit einem Modell kartieren“ auf dieses oder andere Bilder anwenden.</translation>
  </message>
  <message>
   <source>classification,classify,land use,land cover,LULC,supervised,training,samples,deep learning,AI,machine learning,segmentation,satellite,aerial,diffusion</source>
   <translation>Klassifikation,klassifizieren,Landnutzung,Landbedeckung,LULC,überwacht,Training,Trainingsflächen,Deep Learning,KI,maschinelles Lernen,Segmentierung,Satellit,Luftbild,Diffusion</translation>
  </message>
  <message>
   <source>The image to learn from: a raster file with red, green and blue bands.</source>
   <translation>Das Bild, aus dem gelernt wird: eine Rasterdatei mit rotem, grünem und blauem Kanal.</translation>
  </message>
  <message>
   <source>Areas, lines or points on ground whose class is known. Filter and selection are kept. Not needed where there are label rasters.</source>
   <translation>Flächen, Linien oder Punkte, deren Klasse bekannt ist. Filter und Auswahl gelten. Nicht nötig, wenn es Klassenraster gibt.</translation>
  </message>
  <message>
   <source>The field of the labels that holds the class, as text or whole number. Names, colours and order are taken from a categorised style on this field.</source>
   <translation>Das Feld mit der Klasse, als Text oder ganze Zahl. Namen, Farben und Reihenfolge kommen aus einem kategorisierten Stil auf diesem Feld.</translation>
  </message>
  <message>
   <source>Rasters of class codes. Each is used for every image that it covers; nodata, and 0 unless it has a name, is not labelled.</source>
   <translation>Raster mit Klassencodes. Jedes gilt für jedes Bild, das es bedeckt; Nodata, und 0 ohne Namen, gilt als ohne Klasse.</translation>
  </message>
  <message>
   <source>Further images; labels and label rasters serve them too. The same bands in the same order.</source>
   <translation>Weitere Bilder; Trainingsdaten und Klassenraster gelten auch für sie. Dieselben Kanäle in derselben Reihenfolge.</translation>
  </message>
  <message>
   <source>Three bands in the order red, green, blue. Empty: found by band description, then by colour, then 1, 2, 3. On a command line write 3,2,1.</source>
   <translation>Drei Kanäle in der Reihenfolge Rot, Grün, Blau. Leer: nach Kanalbeschreibung gefunden, dann nach Farbe, dann 1, 2, 3. Auf der Befehlszeile 3,2,1 schreiben.</translation>
  </message>
  <message>
   <source>How pixel values become those that the model sees. Constants keep differences between images; percentiles even them out, which helps where images were stretched one by one. Automatic: of several images, held-back ground chooses; of one, constants.</source>
   <translation>Wie aus Pixelwerten die werden, die das Modell sieht. Konstanten erhalten Unterschiede zwischen Bildern; Perzentile gleichen sie aus, was hilft, wenn Bilder einzeln gestreckt wurden. Automatisch: bei mehreren Bildern entscheiden zurückgehaltene Flächen, bei einem Konstanten.</translation>
  </message>
  <message>
   <source>The value that means full brightness; for the scaling “Divide by a number” only.</source>
   <translation>Der Wert, der volle Helligkeit bedeutet; nur für die Skalierung „Durch eine Zahl teilen“.</translation>
  </message>
  <message>
   <source>The diffusion model that the features come from: a folder in the layout of diffusers, or the name of one that comes with the plugin. Empty: the embedded one.</source>
   <translation>Das Diffusionsmodell, aus dem die Merkmale kommen: ein Ordner im Aufbau von diffusers oder der Name eines mitgelieferten. Leer: das eingebettete.</translation>
  </message>
  <message>
   <source>How features of several times and layers become one: one weight each (global), weights that change with the place (localized), or experts between which a gate chooses. Automatic: global.</source>
   <translation>Wie aus Merkmalen mehrerer Zeiten und Schichten eines wird: je ein Gewicht (global), Gewichte, die sich mit dem Ort ändern (lokal), oder Experten, zwischen denen gewählt wird. Automatisch: global.</translation>
  </message>
  <message>
   <source>What makes classes of the fused features. UPerNet is larger and wants more labels.</source>
   <translation>Was aus den vereinten Merkmalen Klassen macht. UPerNet ist größer und braucht mehr Trainingsdaten.</translation>
  </message>
  <message>
   <source>How the image is brought to the noise level of each time before its features are read. Clean reads it once, without noise: the embedded backbone can, other folders in pixel space need a network for it, DiffusionSat's cannot. Automatic: the backbone's own choice.</source>
   <translation>Wie das Bild auf die Rauschstärke jeder Zeit gebracht wird, bevor seine Merkmale gelesen werden. „Sauber“ liest es einmal, ohne Rauschen: Der mitgelieferte Backbone kann das, andere Ordner im Pixelraum brauchen ein Netz dafür, die von DiffusionSat können es nicht. Automatisch: was der Backbone vorsieht.</translation>
  </message>
  <message>
   <source>Times of the diffusion model, 0 (no noise) to 999, like 1, 101, 201. Empty: the backbone's own choice.</source>
   <translation>Zeiten des Diffusionsmodells, 0 (kein Rauschen) bis 999, wie 1, 101, 201. Leer: die des Backbones.</translation>
  </message>
  <message>
   <source>Learns from the bands themselves beside the features: in the head, and in a classifier of single pixels and the 5 × 5 around them. Held-back ground decides what head and classifier count for on the map; with few labels it is often the classifier alone.</source>
   <translation>Lernt neben den Merkmalen auch von den Kanälen selbst: im Kopf und in einem Klassifikator einzelner Pixel und der 5 × 5 um sie herum. Zurückgehaltene Flächen entscheiden, was Kopf und Klassifikator auf der Karte zählen; bei wenigen Beispielen ist es oft der Klassifikator allein.</translation>
  </message>
  <message>
   <source>How often the labels are gone through. 0: until the validation no longer gets better.</source>
   <translation>Wie oft die Trainingsdaten durchlaufen werden. 0: bis die Validierung nicht mehr besser wird.</translation>
  </message>
  <message>
   <source>Fine-tuned: after fusion and head, the backbone is trained with them on your labels. Takes several times as long; the result is kept only where it is better on the ground held back, and is stored in the model. For compact backbones, such as the embedded one.</source>
   <translation>Nachtrainiert: nach Fusion und Kopf wird auch der Backbone mit ihnen an den Trainingsdaten trainiert. Dauert ein Mehrfaches; das Ergebnis wird nur behalten, wo es auf den zurückgehaltenen Flächen besser ist, und im Modell gespeichert. Für kompakte Backbones wie das eingebettete Diffusionsmodell.</translation>
  </message>
  <message>
   <source>Share of the labelled ground that is held back to measure the model, in blocks so that neighbouring pixels do not flatter it. 0: none, and no scores; the pixel values then count as much as the features.</source>
   <translation>Anteil, der zurückgehalten wird, um das Modell zu messen, in Blöcken, damit benachbarte Pixel ihm nicht schmeicheln. 0: keiner, und keine Kennzahlen; die Pixelwerte zählen dann so viel wie die Merkmale.</translation>
  </message>
  <message>
   <source>The same seed gives the same model.</source>
   <translation>Derselbe Startwert ergibt dasselbe Modell.</translation>
  </message>
  <message>
   <source>The model file. A copy is kept in your model store, so that it can be used by name.</source>
   <translation>Die Modelldatei. Eine Kopie bleibt in der Modellablage, damit es mit Namen benutzt werden kann.</translation>
  </message>
  <message>
   <source>A page that says how good the model is, for which class, and how it was made.</source>
   <translation>Eine Seite, die sagt, wie gut das Modell ist, bei welcher Klasse, und wie es entstand.</translation>
  </message>
  <message>
   <source>Labels</source>
   <translation>Trainingsdaten</translation>
  </message>
  <message>
   <source>Class field</source>
   <translation>Klassenfeld</translation>
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
   <source>Divisor</source>
   <translation>Teiler</translation>
  </message>
  <message>
   <source>Backbone</source>
   <translation>Backbone</translation>
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
   <source>Extraction</source>
   <translation>Extraktion</translation>
  </message>
  <message>
   <source>Times</source>
   <translation>Zeiten</translation>
  </message>
  <message>
   <source>Use the pixel values too</source>
   <translation>Auch die Pixelwerte benutzen</translation>
  </message>
  <message>
   <source>Epochs</source>
   <translation>Epochen</translation>
  </message>
  <message>
   <source>Training of the backbone</source>
   <translation>Training des Backbones</translation>
  </message>
  <message>
   <source>Share for validation</source>
   <translation>Anteil für die Validierung</translation>
  </message>
  <message>
   <source>Seed</source>
   <translation>Startwert</translation>
  </message>
  <message>
   <source>Model (*.safetensors)</source>
   <translation>Modell (*.safetensors)</translation>
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
   <source>There are no labels. Choose a vector layer as {labels} and its class field as {field}, or rasters of class codes as {rasters}.</source>
   <translation>Es gibt keine Trainingsdaten. Einen Vektorlayer als {labels} und sein Klassenfeld als {field} wählen, oder Klassenraster als {rasters}.</translation>
  </message>
  <message>
   <source>{name}: {path} is an image to learn from and cannot be its own labels. Choose a raster of class codes.</source>
   <translation>{name}: {path} ist ein Bild, aus dem gelernt wird, und kann nicht sein eigenes Klassenraster sein. Ein Raster mit Klassencodes wählen.</translation>
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
   <source>The style was not saved: {problem}</source>
   <translation>Der Stil wurde nicht gespeichert: {problem}</translation>
  </message>
  <message>
   <source>Where the computing is done. Automatic takes a GPU that the engine can use. The engine that the plugin installs can use the GPU of Apple computers only, and the processor elsewhere; for an NVIDIA GPU name a Python with a CUDA build of torch in Settings &gt; Options &gt; SatDiFuser, or in the variable SATDIFUSER_ENGINE_PYTHON.</source>
   <translation>Wo gerechnet wird. „Automatisch“ nimmt eine GPU, die die Engine nutzen kann. Die Engine, die das Plugin installiert, kann nur die GPU von Apple-Computern nutzen und rechnet sonst auf dem Prozessor; für eine NVIDIA-GPU ein Python mit torch für CUDA angeben, unter Einstellungen &gt; Optionen &gt; SatDiFuser oder in der Variablen SATDIFUSER_ENGINE_PYTHON.</translation>
  </message>
  <message>
   <source>Automatic (validation chooses constants or percentiles)</source>
   <translation>Automatisch (die Validierung wählt Konstanten oder Perzentile)</translation>
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
   <source>Automatic</source>
   <translation>Automatisch</translation>
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
   <source>Noised (one step for each time)</source>
   <translation>Verrauscht (ein Schritt je Zeit)</translation>
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
   <source>Frozen (fusion and head alone learn)</source>
   <translation>Eingefroren (nur Fusion und Kopf lernen)</translation>
  </message>
  <message>
   <source>Fine-tuned (where the validation gets better)</source>
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
   <source>It was made for another version of the plugin: Repair brings it up to date.</source>
   <translation>Sie wurde für eine andere Version des Plugins angelegt: „Reparieren“ bringt sie auf den neuen Stand.</translation>
  </message>
  <message>
   <source>The engine is {python} (from {origin}).</source>
   <translation>Die Engine ist {python} (aus: {origin}).</translation>
  </message>
  <message>
   <source>no CRS</source>
   <translation>kein KBS</translation>
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
   <source>Did you mean "{meant}"?</source>
   <translation>War „{meant}“ gemeint?</translation>
  </message>
  <message>
   <source>Known by name: {names}.</source>
   <translation>Mit Namen bekannt: {names}.</translation>
  </message>
  <message>
   <source>"{path}" is no model of SatDiFuser ({error}). Choose a file made by "Train a land-cover model".</source>
   <translation>„{path}“ ist kein Modell von SatDiFuser ({error}). Eine Datei wählen, die „Landbedeckungsmodell trainieren“ erstellt hat.</translation>
  </message>
  <message>
   <source>{name}: "{labels}" ({crs}) does not touch {images}. Choose labels on the same ground, or correct the CRS of the layer that lies wrong.</source>
   <translation>{name}: „{labels}“ ({crs}) berührt {images} nicht. Trainingsdaten auf demselben Gebiet wählen, oder das KBS des Layers berichtigen, der falsch liegt.</translation>
  </message>
  <message>
   <source>{name}: "{labels}" has no CRS but the image "{image}" has {crs}. Set the layer's CRS (layer menu, Layer CRS).</source>
   <translation>{name}: „{labels}“ hat kein KBS, aber das Bild „{image}“ hat {crs}. Das KBS des Layers setzen (Layermenü, Layer-KBS).</translation>
  </message>
  <message>
   <source>Labels are copied to {path} (selection, filter and edits are kept).</source>
   <translation>Die Trainingsdaten werden nach {path} kopiert (Auswahl, Filter und Änderungen gelten).</translation>
  </message>
  <message>
   <source>nothing</source>
   <translation>nichts</translation>
  </message>
  <message>
   <source>Labels are transformed from {source} to {target} ({operation}): {path}</source>
   <translation>Die Trainingsdaten werden von {source} nach {target} transformiert ({operation}): {path}</translation>
  </message>
  <message>
   <source>{name}: "{layer}" has no features. Draw some labels first.</source>
   <translation>{name}: „{layer}“ hat keine Objekte. Zuerst einige Trainingsflächen zeichnen.</translation>
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
   <translation>Die Trainingsdaten konnten nicht nach {path} kopiert werden: {problem}. Ist die Platte voll?</translation>
  </message>
  <message>
   <source>Labels that cannot be transformed to {crs} are left out there: {count}.</source>
   <translation>Trainingsdaten, die sich nicht nach {crs} transformieren lassen, werden dort weggelassen: {count}.</translation>
  </message>
  <message>
   <source>{name}: {value} is no raster that QGIS can open. Choose another raster.</source>
   <translation>{name}: {value} ist kein Raster, das QGIS öffnen kann. Ein anderes Raster wählen.</translation>
  </message>
  <message>
   <source>{name}: "{layer}" is not a plain raster file (its source is "{provider}"). Save the part that you need as GeoTIFF (layer menu, Export, Save As) and choose that file.</source>
   <translation>{name}: „{layer}“ ist keine gewöhnliche Rasterdatei (die Quelle ist „{provider}“). Den benötigten Teil als GeoTIFF speichern (Layermenü, Export, Speichern als) und diese Datei wählen.</translation>
  </message>
  <message>
   <source>{name}: {value} is no vector layer that QGIS can open. Choose another layer.</source>
   <translation>{name}: {value} ist kein Vektorlayer, den QGIS öffnen kann. Einen anderen Layer wählen.</translation>
  </message>
  <message>
   <source>{name}: QGIS shows "{layer}" in {shown}, but its file says {in_file}. The file counts; correct it with "Assign projection" if it is wrong.</source>
   <translation>{name}: QGIS zeigt „{layer}“ in {shown}, aber die Datei sagt {in_file}. Die Datei gilt; wenn sie falsch ist, mit „Projektion zuweisen“ berichtigen.</translation>
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
   <source>{name}: {folder} cannot be written to. Choose another folder.</source>
   <translation>{name}: in {folder} kann nicht geschrieben werden. Einen anderen Ordner wählen.</translation>
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
 </context>
</TS>
