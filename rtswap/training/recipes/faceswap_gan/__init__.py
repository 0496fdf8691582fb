"""faceswap-GAN: an encoder, a decoder per person that makes a face and its attention mask, and two critics."""
