"""A stand-in for vLLM: the parts that this project starts and asks, without a model. STAND_IN says what goes wrong."""
