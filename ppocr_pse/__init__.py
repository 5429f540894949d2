"""PSENet text detection (progressive scale expansion, arbitrary shapes) on PaddlePaddle."""

__version__ = "0.1.0"
