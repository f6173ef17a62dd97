"""Models, hardware, images and known issues: data files with a source for each figure."""
