"""CycleGAN with and without skeleton consistency, on synthetic and on real persons; each seed varies all that is drawn.

    python tools/prepare_data.py again.mp4 brother.mp4 help.mp4 no.mp4 student.mp4 yes.mp4 --out data/people --size 384x256 \\
        --person signer_a
    python tools/prepare_data.py book.mp4 learn.mp4 school.mp4 walk.mp4 --out data/people --size 384x256 --person signer_c
    python tools/benchmark.py benchmarks/transfers --workers 2

people.py makes some of these clips by the same options. Both directions count together. The pose network that the loss looks through is
trained first for the synthetic persons. Rows with the paper's losses have no identity loss and no discriminators of faces.
"""
_real = {'data.a.root': 'data/people', 'data.b.root': 'data/people', 'data.a.persons': ['signer_a'], 'data.b.persons': ['signer_c']}
clips = dict(synthetic=dict(), signers=dict(options=_real))
rows = [
    dict(name='CycleGAN', config='experiments/cyclegan', clips=['synthetic']),
    dict(name='skeleton consistency', config='experiments/cyclegan_skeleton', clips=['synthetic']),
    dict(name="CycleGAN, paper's losses", config='experiments/cyclegan_paper', clips=['synthetic']),
    dict(name="skeleton consistency, paper's losses", config='experiments/cyclegan_paper_skeleton', clips=['synthetic']),
    dict(name='CycleGAN, real', config='own/transfer', clips=['signers']),
    dict(name='skeleton consistency, real', config='own/transfer_skeleton', clips=['signers'])]
budgets = [dict(iterations=1300)]
seeds = [0, 1, 2]
_protocols = ['full', 'crop']
metrics = [
    dict(type='PCK', against='input'), dict(type='Identity'), dict(type='Temporal', against='input', net='auto'),
    dict(type='PSNR', protocols=_protocols), dict(type='SSIM', protocols=_protocols), dict(type='L1', protocols=_protocols),
    dict(type='Sharpness')]
columns = ['pck/limbs@*', 'identity/*', 'temporal/td', 'temporal/flicker', 'psnr/crop', 'l1/crop', 'sharpness/*']
fast = True
