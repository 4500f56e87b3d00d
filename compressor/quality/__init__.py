"""Makes the calibration that a quality floor is predicted by. Needs no torch."""
