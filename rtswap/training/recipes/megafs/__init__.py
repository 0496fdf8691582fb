"""MegaFS (Zhu et al. 2021): one-shot face swapping on megapixels."""
