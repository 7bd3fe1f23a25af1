"""Optimizers of pix2pix and those who follow it: one Adam for the generator, one for the discriminator."""
_adam = dict(type='Adam', lr=2e-4, betas=(0.5, 0.999))
optim_wrapper = dict(
    constructor='NetworkOptimizers',
    g=dict(networks=['net_g'], type='OptimWrapper', optimizer=_adam),
    d=dict(networks=['net_d'], type='OptimWrapper', optimizer=_adam))
