"""fp32 -> smaller: folding, recipes, calibration, static, dynamic, QAT."""

import logging

# While it is imported, torchao warns of CUDA libraries that nothing here uses and of what torch will change in its own enums.
for _name in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_name).setLevel(logging.ERROR)
