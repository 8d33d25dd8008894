using System.Security.Cryptography;
using System.Text;
using LookaheadKV.Evaluation.Ruler;
using LookaheadKV.Evaluation.Tasks;
using Xunit;

namespace LookaheadKV.Tests.Evaluation;

/// <summary>
/// What a seed asks today it asked yesterday: published figures name their seed, and are worth nothing if it draws other texts. The digests here
/// change only with a change of the texts, which then all figures have to follow.
/// </summary>
public sealed class SeededTextTests
{
    // One token a piece: nothing here depends on a tokenizer.
    private static readonly PieceEncoder Pieces = new(static _ => [0]);

    [Theory]
    [InlineData("single", "9658dd650c6dfdb7")]
    [InlineData("multikey", "48f763a1840fa93d")]
    [InlineData("multivalue", "b638b094024b0524")]
    [InlineData("multiquery", "7e6a00793b8a6d73")]
    [InlineData("questionfirst", "0b531d718366db62")]
    [InlineData("twohop", "ef8f9d6435c4f059")]
    [InlineData("variables", "45424b519d3fda44")]
    [InlineData("listall", "b1200ae6855420d4")]
    public void Tasks(string task, string digest) =>
        Assert.Equal(
            digest,
            Digest(
                from length in (int[])[96, 200, 700]
                from index in Enumerable.Range(0, 8)
                from sample in (TaskSample[])
                    [
                        TaskGenerators.Generate(task, length, seed: 3, index, Pieces),
                        TaskGenerators.GenerateWithAnswer(task, length, seed: 3, index, Pieces, Split.Training),
                    ]
                select $"{sample.Prompt}{sample.Answer}"
            )
        );

    [Theory]
    [InlineData(96, "de3c0115d3e13014")]
    [InlineData(300, "d0d1c4e1947b5522")]
    [InlineData(1200, "58f376ce8115eab0")]
    public void Training_sequences(int length, string digest)
    {
        var letters = new PieceEncoder(static piece => [piece.Sum(static letter => letter)]);
        Assert.Equal(
            digest,
            Digest(
                from index in Enumerable.Range(0, 24)
                let sequence = TrainingSequences.Generate(length, seed: 3, index, letters)
                select $"{string.Join(' ', sequence.Ids)}{string.Concat(sequence.Loss.Select(loss => loss ? '1' : '0'))}"
            )
        );
    }

    [Fact]
    public void The_tokenizers_corpus() => Assert.Equal("ceee014ad5e6ae32", Digest(Corpus.Text(seed: 3, characters: 30_000)));

    [Theory]
    [InlineData("niah_single_1", "5abf0de43a50e054")]
    [InlineData("niah_single_2", "8966f1c98d68927a")]
    [InlineData("niah_single_3", "51c9aa3d7ba80d63")]
    [InlineData("niah_multikey_1", "0b250e98a835ff99")]
    [InlineData("niah_multikey_2", "ae4f2b33b7463bd0")]
    [InlineData("niah_multikey_3", "cecc41b88e276bcd")]
    [InlineData("niah_multivalue", "91a6cf4767e8a1ae")]
    [InlineData("niah_multiquery", "0be580c1f87d3737")]
    [InlineData("vt", "31b5c4bcdd354c34")]
    [InlineData("cwe", "a73f044b0d0bae87")]
    [InlineData("fwe", "af47287797ec5cc5")]
    [InlineData("qa_1", "faa5286573853c01")]
    public void Ruler(string task, string digest)
    {
        var file = new QuestionFile(
            "file",
            [.. Enumerable.Range(0, 400).Select(i => $"document {i} of {i * i} words")],
            [.. Enumerable.Range(0, 5).Select(i => new DocumentQuestion($"question {i}?", [$"{i}"], [i, i + 20], [i + 7, i + 8]))]
        );
        Assert.Equal(
            digest,
            Digest(
                from length in (int[])[1000, 2500, 6000]
                from index in Enumerable.Range(0, 6)
                let sample = RulerTasks.Generate(task, task == "qa_1" ? length / 3 : length, seed: 3, index, CountWords, file)
                select $"{sample.Prompt}{sample.AnswerPrefix}{string.Join(' ', sample.Answers)}{sample.MaxNewTokens}{sample.Question}"
            )
        );
    }

    private static int CountWords(string text) => text.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Length;

    private static string Digest(IEnumerable<string> texts) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', texts))))[..16];
}
