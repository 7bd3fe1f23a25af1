"""What a trained model does with its colour codes: probes of codes and of pictures, and figures."""
