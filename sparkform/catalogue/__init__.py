"""Models, hardware, images and presets: data files with a source for each figure."""
