"""FSLSD (Xu et al. 2022): high-resolution face swapping via latent semantics disentanglement."""
