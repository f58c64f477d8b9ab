"""A network that the world has trained, read beside the diffusion model: images in, named feature maps out."""
