"""Where Dutch places lie, to about a kilometre, and how far two points are apart.

The coordinates are those of the middle of each place in degrees (WGS 84), rounded to a hundredth:
enough to say which hospital is nearest, not to find a street. Distance is the great circle on a
sphere of 6,371 km (haversine formula), so as the crow flies.
"""

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

EARTH_KM: Final = 6371.0

_TABLE: Final = """
Alkmaar 52.63 4.75|Almelo 52.36 6.66|Almere 52.35 5.26|Alphen aan den Rijn 52.13 4.66
Amersfoort 52.16 5.39|Amstelveen 52.31 4.87|Amsterdam 52.37 4.90|Apeldoorn 52.21 5.97
Arnhem 51.98 5.91|Assen 53.00 6.56|Axel 51.27 3.91|Barendrecht 51.86 4.53
Bergen op Zoom 51.49 4.29|Best 51.51 5.39|Beverwijk 52.48 4.66|Bladel 51.37 5.22
Boxmeer 51.65 5.95|Boxtel 51.59 5.33|Breda 51.59 4.78|Brielle 51.90 4.16
Brunssum 50.95 5.97|Budel 51.27 5.57|Capelle aan den IJssel 51.93 4.58|Culemborg 51.96 5.23
Cuijk 51.73 5.88|Delft 52.01 4.36|Den Haag 52.08 4.31|Den Helder 52.96 4.76
Deurne 51.46 5.79|Deventer 52.25 6.16|Dirksland 51.75 4.10|Doetinchem 51.97 6.29
Dordrecht 51.81 4.67|Drachten 53.11 6.10|Echt 51.11 5.87|Ede 52.04 5.66
Eersel 51.36 5.32|Eindhoven 51.44 5.48|Emmen 52.79 6.90|Enschede 52.22 6.89
Etten-Leur 51.57 4.64|Geldrop 51.42 5.56|Gemert 51.56 5.69|Gennep 51.70 5.97
Goes 51.50 3.89|Gorinchem 51.83 4.97|Gouda 52.01 4.71|Groningen 53.22 6.57
Gulpen 50.82 5.89|Haarlem 52.38 4.64|Harderwijk 52.35 5.62|Heerenveen 52.96 5.92
Heerlen 50.89 5.98|Hellevoetsluis 51.83 4.13|Helmond 51.48 5.66|Hendrik-Ido-Ambacht 51.84 4.64
's-Hertogenbosch 51.69 5.30|Hilversum 52.22 5.17|Hoofddorp 52.30 4.69|Hoogeveen 52.72 6.48
Hoorn 52.64 5.06|Horst 51.45 6.05|Hulst 51.28 4.05|Kerkrade 50.87 6.07
Leerdam 51.89 5.09|Leeuwarden 53.20 5.80|Leiden 52.16 4.49|Leiderdorp 52.16 4.53
Lelystad 52.52 5.47|Maassluis 51.92 4.25|Maastricht 50.85 5.69|Meppel 52.70 6.19
Middelburg 51.50 3.61|Middelharnis 51.76 4.16|Nieuwegein 52.03 5.08|Nijmegen 51.84 5.86
Nuenen 51.47 5.55|Oosterhout 51.64 4.86|Oss 51.76 5.52|Oud-Beijerland 51.82 4.41
Panningen 51.33 5.98|Papendrecht 51.83 4.69|Purmerend 52.51 4.95|Reuver 51.28 6.08
Ridderkerk 51.87 4.60|Rijswijk 52.04 4.33|Roermond 51.19 5.99|Roosendaal 51.53 4.46
Rotterdam 51.92 4.48|Schiedam 51.92 4.40|Sittard 51.00 5.87|Sittard-Geleen 50.98 5.85
Sliedrecht 51.82 4.77|Sluis 51.31 3.39|Someren 51.38 5.71|Son en Breugel 51.51 5.49
Spijkenisse 51.85 4.33|Steenbergen 51.58 4.32|Terneuzen 51.34 3.83|Tiel 51.89 5.43
Tilburg 51.56 5.09|Uden 51.66 5.62|Utrecht 52.09 5.12|Vaals 50.77 6.02
Valkenburg 50.87 5.83|Valkenswaard 51.35 5.46|Veenendaal 52.03 5.55|Veghel 51.62 5.55
Veldhoven 51.42 5.41|Venlo 51.37 6.17|Venray 51.53 5.98|Vlaardingen 51.91 4.34
Vlissingen 51.44 3.57|Voorburg 52.07 4.36|Waalwijk 51.69 5.07|Wageningen 51.97 5.66
Weert 51.25 5.71|Woerden 52.09 4.88|Zaandam 52.44 4.83|Zeist 52.09 5.24
Zierikzee 51.65 3.92|Zoetermeer 52.06 4.49|Zutphen 52.14 6.20|Zwijndrecht 51.82 4.64
Zwolle 52.51 6.09
"""
# Other spellings, each for the place of the table.
_ALSO: Final = {"den bosch": "'s-Hertogenbosch", "s-gravenhage": "Den Haag", "geleen": "Sittard"}


@dataclass(frozen=True)
class Place:
    """A place by name, with its middle in degrees."""

    name: str
    latitude: float
    longitude: float


def _read(table: str) -> dict[str, Place]:
    found = {}
    for entry in table.replace("\n", "|").split("|"):
        if entry:
            name, latitude, longitude = entry.rsplit(" ", 2)
            found[_plain(name)] = Place(name, float(latitude), float(longitude))
    return found


def _plain(name: str) -> str:
    """Small letters without accents and apostrophes, so that a spelling does not matter."""
    letters = unicodedata.normalize("NFKD", name.casefold())
    kept = (each for each in letters if not unicodedata.combining(each))
    return " ".join("".join(kept).replace("'", "").replace("’", "").split()).strip("-, ")


PLACES: Final[Mapping[str, Place]] = _read(_TABLE)


def find_place(name: str) -> Place | None:
    """The place of this name; None when the table has none. Of "Heerlen en Sittard" the first."""
    plain = _plain(name)
    plain = _plain(_ALSO[plain]) if plain in _ALSO else plain
    if plain in PLACES:
        return PLACES[plain]
    first = plain.split(" en ")[0]
    return PLACES.get(first) if first != plain else None


def place_names() -> list[str]:
    """The names of the table in order, to choose from."""
    return sorted((place.name for place in PLACES.values()), key=_plain)


def kilometres(a: tuple[float, float], b: tuple[float, float]) -> float:
    """The great-circle distance between two (latitude, longitude), in kilometres."""
    (low_a, long_a), (low_b, long_b) = (tuple(map(math.radians, point)) for point in (a, b))
    half = (
        math.sin((low_b - low_a) / 2) ** 2
        + math.cos(low_a) * math.cos(low_b) * math.sin((long_b - long_a) / 2) ** 2
    )
    return 2 * EARTH_KM * math.asin(math.sqrt(min(1.0, half)))
