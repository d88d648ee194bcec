"""Memory cards, images, archives and folders, read with the device off."""
