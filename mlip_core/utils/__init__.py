"""Small tools that know nothing about datasets or models."""
