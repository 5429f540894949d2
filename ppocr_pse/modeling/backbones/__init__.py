"""Backbones: a picture to c2..c5, the feature maps at strides 4, 8, 16 and 32."""
