using System.Security.Cryptography;
using System.Text;
using LookaheadKV.Tests.Text;
using LookaheadKV.Text;
using LookaheadKV.Training.Texts;
using Xunit;

namespace LookaheadKV.Tests.Training.Texts;

/// <summary>
/// What a seed makes of texts today it made yesterday: a run that goes on where it stopped must see the prompts that it would have seen. The digests
/// here change only with a change of the prompts, which ends that for all runs under way.
/// </summary>
public sealed class SeededPromptsTests
{
    private static readonly Tokenizer Tokenizer = new(Samples.Definition);

    private static readonly TextRecipe Recipe = new()
    {
        Lengths = new Dictionary<int, double>
        {
            [900] = 1,
            [1300] = 2,
            [950] = 0,
        },
        TokensPerStep = 4000,
        QuestionFirst = 0.3,
        AnswerBegun = 0.4,
        FewestFacts = 1,
        MostFacts = 7,
        AskSeveral = 0.35,
        AskAll = 0.35,
        Instructions =
        [
            "Tell what is said of \"{word}\".",
            "Shorten this.",
            "Answer in one line, and let it be short: what is this about?",
        ],
    };

    [Theory]
    [InlineData("prose", 0, "234e1ba76c6a322c")]
    [InlineData("prose", 1, "79050ff40119b4d4")]
    [InlineData("prose", 2, "6b822f98cc64d084")]
    [InlineData("lines", 1, "87f4a306e7f2c796")] // no sentence ends: facts stand between lines
    [InlineData("words", 1, "bcbaf03dcd279440")] // nor do lines
    [InlineData("short", 0, "63c9e034f1f1c66c")] // pieces go on in other documents, and hold no long word
    public void Prompts(string text, int kind, string digest)
    {
        var shares = new TextShares(kind == 0 ? 1 : 0, kind == 1 ? 1 : 0, kind == 2 ? 1 : 0);
        var prompts = new TextPrompts(Corpus(text), Recipe with { Shares = shares }, Tokenizer, new PromptFrame([1, 2, 3], [4, 5], []));
        Assert.Equal(
            digest,
            Digest(
                from prompt in Enumerable.Range(0, 8).SelectMany(step => prompts.Step(seed: 3, step)).Concat(prompts.HeldOut(seed: 3, 6))
                select $"{string.Join(' ', prompt.Ids)}|{string.Join('|', prompt.Facts)}|{prompt.QuestionFirst}"
            )
        );
    }

    [Fact]
    public void Look_ups() =>
        Assert.Equal(
            "70edac16764decb4",
            Digest(
                from seed in Enumerable.Range(0, 300)
                let lookUp = LookUp.Draw(RandomStream.For(Split.Training, "look-ups", seed), 1 + seed % 6, Recipe)
                select $"{string.Join('|', lookUp.Asked)}||{string.Join('|', lookUp.Others)}||{lookUp.Question}||{lookUp.Opening}"
            )
        );

    [Fact]
    public void Things_and_values_of_every_kind() =>
        Assert.Equal(
            "405fa0a536f0f28d",
            Digest(
                from kind in FactKind.All
                from seed in Enumerable.Range(0, 30)
                let random = RandomStream.For(Split.Training, "facts", seed)
                select $"{kind.Name} {kind.Thing(random)} {kind.Value(random)}"
            )
        );

    private static TextCorpus Corpus(string kind)
    {
        var random = RandomStream.For(Split.Training, kind);
        string[] words =
            kind == "short" ? ["tea", "oak", "two", "is"] : ["lantern", "ledger", "the", "of", "barometer", "42", "is", "keeps"];
        return new([.. Enumerable.Range(0, 4).Select(i => Document(kind == "short" ? 80 + 40 * i : 1500 + 500 * i))]);

        string Document(int length) => string.Concat(Enumerable.Range(0, length).Select(_ => random.Pick(words) + Space(random.Below(40))));

        string Space(int draw) =>
            (kind, draw) switch
            {
                ("words", _) => " ",
                ("lines", < 4) => "\n",
                ("lines", _) => " ",
                (_, < 3) => ". ",
                (_, 3) => ".\n\n",
                (_, 4) => "?\n",
                (_, < 7) => "\n",
                (_, 7) => "\n  ",
                _ => " ",
            };
    }

    private static string Digest(IEnumerable<string> texts) =>
        Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', texts))))[..16];
}
