"""A seeded generator of photograph-like scenes with straight, slanted, foreshortened and curved text.

``make_scene(seed)`` is the whole interface; ``SceneStyle`` holds its options and ``STYLES`` its presets.
"""

from ppocr_pse.data.synthetic.scene import UNREADABLE, Scene, make_scene
from ppocr_pse.data.synthetic.style import STYLES, SceneStyle

__all__ = ["STYLES", "UNREADABLE", "Scene", "SceneStyle", "make_scene"]
