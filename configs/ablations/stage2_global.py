"""Video generator that is the global generator at full size instead of the local enhancer."""
_base_ = '../stage2_pix2pixhd.py'
model = dict(generator=dict(_delete_=True, type='GlobalGenerator', ngf=64, n_down=4, n_blocks=9))
