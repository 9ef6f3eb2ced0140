"""How fast momus is, beside Porcupine, on identical histories in the same run."""
