using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using LookaheadKV.Files;

namespace LookaheadKV.Training.Texts;

/// <summary>Shares of the three kinds of prompts; they are weights and need not add up to 1.</summary>
/// <param name="Instructions">A piece of text and something to do with it.</param>
/// <param name="LookUps">A piece of text with facts strewn into it, and a question about them.</param>
/// <param name="Raw">A piece of text to go on with, without chat template.</param>
public sealed record TextShares(double Instructions = 0.35, double LookUps = 0.5, double Raw = 0.15);

/// <summary>What prompts are made of texts: kinds, lengths, and how many make a step. A JSON file of the same members in camel case; all may be missing.</summary>
public sealed record TextRecipe
{
    private static readonly JsonSerializerOptions Json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.CamelCase,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    /// <summary>Lengths in tokens and their weights; a step has prompts of one length. Those that do not fit the model are refused.</summary>
    public IReadOnlyDictionary<int, double> Lengths { get; init; } =
        new SortedDictionary<int, double>
        {
            [512] = 1,
            [1024] = 2,
            [2048] = 4,
            [4096] = 3,
        };

    /// <summary>Tokens of a step's prompts at most; one prompt there is always.</summary>
    public int TokensPerStep { get; init; } = 131_072;

    /// <summary>Prompts of a step at most.</summary>
    public int PromptsPerStep { get; init; } = 64;

    /// <summary>Shares of the kinds.</summary>
    public TextShares Shares { get; init; } = new();

    /// <summary>Share of the chat prompts whose instruction or question stands before the text.</summary>
    public double QuestionFirst { get; init; } = 0.15;

    /// <summary>Share of the pieces whose line breaks within a paragraph become spaces.</summary>
    public double Unwrapped { get; init; } = 0.5;

    /// <summary>Share of the look-ups that end with the beginning of the answer.</summary>
    public double AnswerBegun { get; init; } = 0.3;

    /// <summary>Fewest facts of a look-up.</summary>
    public int FewestFacts { get; init; } = 1;

    /// <summary>Most facts of a look-up; fewer where the prompt has no room.</summary>
    public int MostFacts { get; init; } = 8;

    /// <summary>Of look-ups with two facts or more, the share that ask for several of them by name.</summary>
    public double AskSeveral { get; init; } = 0.2;

    /// <summary>Of look-ups with two facts or more, the share that ask for all values of one thing.</summary>
    public double AskAll { get; init; } = 0.2;

    /// <summary>What to do with a text; <c>{word}</c> stands for a word of it.</summary>
    public IReadOnlyList<string> Instructions { get; init; } = TextInstructions.All;

    private const string Wanted = "a recipe of prompts made of texts";

    /// <summary>Reads a recipe file.</summary>
    /// <exception cref="InputException">It cannot be read, is not JSON, names something unknown, or holds a number out of its range.</exception>
    public static TextRecipe Read(string path)
    {
        var recipe = JsonFile.Read<TextRecipe>(path, Wanted, Json);
        try
        {
            recipe.Check();
            return recipe;
        }
        catch (InputException e)
        {
            throw new InputException($"{path}: {e.Message}", e);
        }
    }

    /// <summary>A recipe of JSON text.</summary>
    /// <exception cref="InputException">It is none.</exception>
    public static TextRecipe Parse(string json)
    {
        var recipe = new JsonText("the recipe", Encoding.UTF8.GetBytes(json)).As<TextRecipe>(Wanted, Json);
        recipe.Check();
        return recipe;
    }

    /// <summary>The recipe as JSON text, every member written out.</summary>
    public string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Prompts in a step of prompts of so many tokens.</summary>
    public int Prompts(int length) => Math.Clamp(TokensPerStep / length, 1, PromptsPerStep);

    /// <summary>Refuses numbers out of their ranges, and those that do not go together.</summary>
    /// <exception cref="InputException">There are such.</exception>
    public void Check()
    {
        Require(Lengths is { Count: > 0 } && Lengths.Keys.All(n => n >= 1), "lengths", "one length in tokens or more, each 1 or more");
        Weights("lengths", Lengths!.Values);
        Require(TokensPerStep >= 1, "tokensPerStep", "1 or more");
        Require(PromptsPerStep >= 1, "promptsPerStep", "1 or more");
        Require(Shares is not null, "shares", "an object");
        Weights("shares", [Shares!.Instructions, Shares.LookUps, Shares.Raw]);
        Share("questionFirst", QuestionFirst);
        Share("unwrapped", Unwrapped);
        Share("answerBegun", AnswerBegun);
        Require(FewestFacts >= 1, "fewestFacts", "1 or more");
        Require(MostFacts >= FewestFacts && MostFacts <= 64, "mostFacts", "fewestFacts to 64");
        Share("askSeveral", AskSeveral);
        Share("askAll", AskAll);
        Share("askSeveral + askAll", AskSeveral + AskAll);
        Require(
            Instructions is { Count: > 0 } && Instructions.All(i => i?.Trim().Length > 0),
            "instructions",
            "one text or more, none empty"
        );

        static void Weights(string name, IEnumerable<double> weights) =>
            Require(weights.All(w => double.IsFinite(w) && w >= 0) && weights.Sum() > 0, name, "weights of 0 or more that are not all 0");

        static void Share(string name, double share) =>
            Require(share is >= 0 and <= 1, name, string.Create(CultureInfo.InvariantCulture, $"0 to 1, not {share}"));

        static void Require(bool holds, string name, string allowed)
        {
            if (!holds)
                throw new InputException($"\"{name}\" is out of its range; give {allowed}.");
        }
    }
}
