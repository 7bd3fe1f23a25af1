"""Color encoder by cVAE-GAN alone: no latent regression, no random branch."""
_base_ = '../stage1_bicyclegan_up.py'

model = dict(losses=dict(z=dict(weight=0.0)))
