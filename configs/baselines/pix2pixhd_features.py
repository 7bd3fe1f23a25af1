"""pix2pixHD with its feature encoder: the appearance of each body part comes from the content frame."""
_base_ = ['pix2pixhd.py']

model = dict(encoder=dict(type='GlobalGenerator', ngf=16, n_down=4, n_blocks=0))
optim_wrapper = dict(g=dict(networks=['net_g', 'net_e']))
