"""Picture files to pixels: headers, OpenCV for what it reads right, Pillow for the rest."""
