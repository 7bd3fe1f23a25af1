"""The value of the skeleton loss, not its gradient, is half of the other losses: the literal reading of paper B."""
_base_ = '../cyclegan_skeleton.py'
model = dict(auto_weight=dict(by='loss'))
