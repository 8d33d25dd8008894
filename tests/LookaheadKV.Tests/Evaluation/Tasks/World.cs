using LookaheadKV.Checkpoints;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Text;

namespace LookaheadKV.Tests.Evaluation.Tasks;

/// <summary>The tokenizer that the world is made for, trained once for all tests of it.</summary>
internal static class World
{
    public const int Vocabulary = 2048;

    private static readonly Lazy<Tokenizer> Trained = new(() =>
        new Tokenizer(
            BpeTrainer.Train(
                Corpus.Text(seed: 1, characters: 300_000),
                Vocabulary,
                [Templates.Begin, Templates.End, Templates.Pad],
                SplitPatterns.Qwen2
            )
        )
    );

    private static readonly Lazy<PieceEncoder> Pieces = new(() => new PieceEncoder(Trained.Value.Encode));

    public static Tokenizer Tokenizer => Trained.Value;

    public static PieceEncoder Encoder => Pieces.Value;
}
