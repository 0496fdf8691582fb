"""Train swappers: one trainer, and a folder per recipe. The only room that needs torch."""
