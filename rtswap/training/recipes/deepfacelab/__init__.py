"""DeepFaceLab's two architectures, DF and LIAE, which learn two people."""
