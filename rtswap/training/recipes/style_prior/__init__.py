"""The style autoencoder that FSLSD and MegaFS share, and how both are trained."""
