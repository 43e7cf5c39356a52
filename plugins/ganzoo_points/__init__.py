"""Points in the plane: the toy data on which one sees at once what a GAN does."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    for name, attribute in {"circle": "Circle", "ring": "Ring", "grid": "Grid", "swiss_roll": "SwissRoll"}.items():
        zoo.data(name, f"ganzoo_points.points:{attribute}", fields=["real"], bundled=True, licence="CC0-1.0")
