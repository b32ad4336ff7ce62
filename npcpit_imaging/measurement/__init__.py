"""Diameters, volume and uptake of a mask on its native grid."""
