using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using LookaheadKV.Checkpoints;
using LookaheadKV.Evaluation.Tasks;
using Xunit;

namespace LookaheadKV.Tests.Evaluation.Tasks;

public class PieceEncoderTests
{
    [Fact]
    public void ThePiecesAreThoseOfTheTokenizersPattern()
    {
        foreach (var (task, index) in TaskNames.All.SelectMany(task => Enumerable.Range(0, 20).Select(index => (task, index))))
        {
            var sample = TaskGenerators.Generate(task, 300, seed: 1, index, World.Encoder);
            var text = sample.Prompt[Templates.Begin.Length..] + sample.Answer;
            Assert.Equal(Regex.Matches(text, SplitPatterns.Qwen2).Select(match => match.Value), PieceEncoder.Split(text));
        }
    }

    [Fact]
    public void SpecialTokensArePieces()
    {
        Assert.Equal(
            ["<|begin|>", "Text", ":", " It", " rained", ".", "<|end|>", "<|end|>", "\n", "Question", ":"],
            PieceEncoder.Split("<|begin|>Text: It rained.<|end|><|end|>\nQuestion:")
        );
    }

    [Fact]
    public void EachPieceIsEncodedOnceAndTheTokensAreCountedAsTheyCome()
    {
        var asked = new ConcurrentBag<string>();
        var encoder = new PieceEncoder(piece =>
        {
            asked.Add(piece);
            return [.. piece.Select(letter => (int)letter)];
        });
        const string Text = "It rained. It rained. Mira Tolan's code is 484.";
        Assert.Equal(Text.Select(letter => (int)letter), encoder.Encode(Text));
        Assert.Equal(Text.Length, encoder.Count(Text));
        Assert.Equal(asked.Distinct().Count(), asked.Count);
    }
}
