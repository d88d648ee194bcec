"""crane-verify: are the controllers of this crane what they should be?"""

__version__ = "0.1.0"
