"""Licences and credits of the bundled data, kept with what is made from it; ``files/CREDITS.md`` has them in full."""

CLOTHES = {"licence": "MIT", "credit": "Fashion-MNIST, Copyright (c) 2017 Zalando SE"}
EMOJI = {
    "licence": "CC-BY-SA-4.0",
    "credit": "All emojis designed by OpenMoji - the open-source emoji and icon project",
}
PHOTOS = {
    "licence": "CC-BY-SA-4.0",
    "credit": "photographs of lomiri-wallpapers by Aitzol Berasategi, Sander Klootwijk, Bolly, Peter Nerlich, "
    "Freespace, Clements Engelhardt and Jakkub Mede",
}
PENGUINS = {"licence": "CC0-1.0", "credit": "palmerpenguins: Gorman, Williams and Fraser 2014"}
SCENES = {"licence": "CC-BY-SA-4.0", "credit": f"{EMOJI['credit']}; {PHOTOS['credit']}"}
