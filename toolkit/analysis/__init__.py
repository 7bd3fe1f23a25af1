"""What a trained model does with its color codes: probes of codes and of pictures, and figures."""
