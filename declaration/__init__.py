"""What a site may say: the models of its declaration, and every rule that can be checked without a host."""
