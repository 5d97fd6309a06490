"""What the C code computes, in numpy: the oracle that it equals bit for bit."""
