"""3D-GAN: solids of voxels, and the DCGAN body over one, two or three dimensions."""

import ganzoo


@ganzoo.hookimpl
def register(zoo):
    zoo.data("voxel_folder", "ganzoo_gan3d.folder:VoxelFolder", fields=["real"])
    zoo.data("solids", "ganzoo_gan3d.solids:Solids", fields=["real", "label"], bundled=True, licence="CC0-1.0")
    zoo.generator("gan3d", "ganzoo_gan3d.networks:Generator")
    zoo.discriminator("gan3d", "ganzoo_gan3d.networks:Discriminator")
    zoo.metric("solids", "ganzoo_gan3d.measures:SolidShapes")
