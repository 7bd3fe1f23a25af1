"""Color encoders trained along with the generator, without color augmentation: what collapses to one look a person in paper A."""
_base_ = '../stage2_end_to_end.py'
train_dataloader = dict(dataset=dict(transforms=[]))
