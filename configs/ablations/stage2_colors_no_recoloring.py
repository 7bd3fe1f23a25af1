"""Video generator with color codes of frozen encoders, and no color augmentation in stage II: people wear what they were filmed in."""
_base_ = '../stage2_colors.py'
train_dataloader = dict(dataset=dict(transforms=[]))
