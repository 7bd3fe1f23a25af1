"""Make weights of the authors' codes files of this toolkit: ``python tools/convert_weights.py cyclegan G_A.pth --out g.safetensors``.

    pix2pixhd              NVIDIA/pix2pixHD: generator (global, local), feature encoder, discriminator
    cyclegan               junyanz/pytorch-CycleGAN-and-pix2pix: residual generator, U-Net, PatchGAN
    bicyclegan             junyanz/BicycleGAN: U-Net, encoder, discriminator
    everybody_dance_now    carolineec/EverybodyDanceNow: generator (global, local), face generator, both discriminators
    openpose               body network, in both published forms
    rcf                    RCF edge detector
    colorization           user-guided colorization

The file holds the weights, and the config that builds the network. What was not placed is named; another network is refused with the
reason. docs/weights.md shows how a converted file is used.
"""


from toolkit.cli import described_parser, main_guard


@main_guard
def main(argv: list[str] | None = None) -> None:
    """Parse the command line and convert."""
    parser = described_parser(__doc__)
    parser.add_argument('code', help='code that wrote the file, see below')
    parser.add_argument('file', help='its checkpoint (.pth)')
    parser.add_argument('--out', required=True, metavar='FILE', help='file to write (.safetensors)')
    parser.add_argument('--nz', type=int, metavar='N', help='bicyclegan, U-Net with its code at the input: length of the code')
    parser.add_argument('--norm', choices=['instance', 'none'],
                        help='bicyclegan, U-Net with its code in all levels: its norm (default instance)')
    parser.add_argument('--mask-cent', type=float, metavar='X',
                        help='colorization, file of another name: 0 if it comes from Caffe, 0.5 if it was trained with PyTorch')
    parser.add_argument('--overwrite', action='store_true', help='replace the file when it is there')
    args = parser.parse_args(argv)

    from toolkit.conversion.convert import convert_file
    from toolkit.conversion.layout import called
    found = convert_file(args.code, args.file, args.out, args.overwrite, nz=args.nz, norm=args.norm, mask_cent=args.mask_cent)
    for why in dict.fromkeys(found.left.values()):
        keys = [key for key, reason in found.left.items() if reason == why]
        print(f'not placed, {why}: {", ".join(keys)}')
    for note in found.notes:
        print(f'note: {note}')
    print(f'written to {args.out}: {len(found.state)} tensors of {called(found.config)}')


if __name__ == '__main__':
    main()
