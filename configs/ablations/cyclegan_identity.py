"""CycleGAN with its identity loss, half the weight of the cycle; against exchanged colors."""
_base_ = '../cyclegan.py'
model = dict(losses=dict(identity=dict(weight=5.0)))
