using System.Collections.Concurrent;
using LookaheadKV.Text;

namespace LookaheadKV.Training.Texts;

/// <summary>What a prompt asks for.</summary>
public enum TextPromptKind
{
    /// <summary>Something to do with a text.</summary>
    Instruction,

    /// <summary>A fact that was strewn into a text.</summary>
    LookUp,

    /// <summary>Going on with a text.</summary>
    Raw,
}

/// <summary>A prompt made of a text.</summary>
/// <param name="Kind">What it asks for.</param>
/// <param name="Ids">Its tokens.</param>
/// <param name="Facts">The sentences strewn into it; none but in a look-up.</param>
/// <param name="QuestionFirst">Whether instruction or question stands before the text.</param>
public sealed record TextPrompt(TextPromptKind Kind, int[] Ids, IReadOnlyList<string> Facts, bool QuestionFirst);

/// <summary>
/// Prompts of exactly so many tokens made of pieces of texts, after a recipe. Only the piece of text is ever cut: the chat template's tokens, the
/// instruction and the facts stand whole. Every prompt is a pure function of the seed, the step and its place in it.
/// </summary>
public sealed class TextPrompts
{
    private const string Gap = "\n\n";

    // A word worth asking about.
    private const int LongWord = 6;

    private readonly CorpusTokens _corpus;
    private readonly TextRecipe _recipe;
    private readonly Tokenizer _tokenizer;
    private readonly PromptFrame _frame;
    private readonly int[] _begin;
    private readonly string[] _control;
    private readonly ConcurrentDictionary<int, Edges> _edges = [];

    /// <summary>Checks that prompts of the recipe's lengths can be made.</summary>
    /// <param name="corpus">The texts.</param>
    /// <param name="recipe">What prompts are made of them.</param>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="frame">The model's chat template as tokens.</param>
    /// <exception cref="InputException">A length has no room for the frame and an instruction.</exception>
    public TextPrompts(TextCorpus corpus, TextRecipe recipe, Tokenizer tokenizer, PromptFrame frame)
    {
        recipe.Check();
        (_recipe, _tokenizer, _frame) = (recipe, tokenizer, frame);
        _corpus = new CorpusTokens(corpus, Encode, tokenizer.Token);
        _begin = [.. tokenizer.PromptBegin];
        _control = [.. tokenizer.SpecialTokens.Select(token => token.Content)];
        var longest = recipe.Instructions.Max(text => tokenizer.Encode(text + Gap).Length);
        // So that half of a prompt, where words are taken from, is always text.
        var needed = 2 * (frame.Head.Length + frame.Tail.Length + longest);
        if (recipe.Lengths.Keys.Min() is var shortest && shortest < needed)
            throw new InputException(
                $"prompts of {shortest} tokens have no room for text beside the chat template and the longest instruction; make the shortest length {needed} or more."
            );
    }

    /// <summary>The prompts of a training step, all of one length.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="step">The step.</param>
    public IReadOnlyList<TextPrompt> Step(long seed, long step)
    {
        var random = RandomStream.For(Split.Training, "texts", seed, step);
        var (lengths, weights) = (_recipe.Lengths.Keys.ToArray(), _recipe.Lengths.Values.ToArray());
        var length = lengths[random.PickWeighted(weights)];
        return
        [
            .. Enumerable
                .Range(0, _recipe.Prompts(length))
                .Select(row => Draw(RandomStream.For(Split.Training, "texts", seed, step, row), length)),
        ];
    }

    /// <summary>The training steps as examples without responses.</summary>
    public ExampleSource Examples(long seed) => step => [.. Step(seed, step).Select(prompt => new LookaheadExample(prompt.Ids, []))];

    /// <summary>Prompts that no training step has, though they may be of the same texts.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="count">How many.</param>
    public IReadOnlyList<TextPrompt> HeldOut(long seed, int count) =>
        [.. Enumerable.Range(0, count).Select(index => HeldOutAt(seed, index))];

    /// <summary>One of these prompts; lengths take turns.</summary>
    /// <param name="seed">The run's seed.</param>
    /// <param name="index">Its number, from 0.</param>
    public TextPrompt HeldOutAt(long seed, int index)
    {
        int[] lengths = [.. _recipe.Lengths.Where(length => length.Value > 0).Select(length => length.Key)];
        return Draw(RandomStream.For(Split.Evaluation, "texts", seed, index), lengths[index % lengths.Length]);
    }

    private TextPrompt Draw(RandomStream random, int length)
    {
        var shares = _recipe.Shares;
        var kind = (TextPromptKind)random.PickWeighted([shares.Instructions, shares.LookUps, shares.Raw]);
        var first = kind != TextPromptKind.Raw && random.Chance(_recipe.QuestionFirst);
        var unwrap = random.Chance(_recipe.Unwrapped);
        return kind switch
        {
            TextPromptKind.Raw => new(kind, [.. _begin, .. Piece(random, length - _begin.Length, unwrap)], [], false),
            TextPromptKind.LookUp => LookUpPrompt(random, length, first, unwrap),
            _ => Instruction(random, length, first, unwrap),
        };
    }

    private TextPrompt Instruction(RandomStream random, int length, bool first, bool unwrap)
    {
        // The word must stand in the piece, whose length depends on the word: a piece of the whole length is cut to what is left.
        var piece = Piece(random, length, unwrap);
        var instruction = random.Pick(_recipe.Instructions);
        if (instruction.Contains("{word}", StringComparison.Ordinal))
            instruction = instruction.Replace("{word}", Word(random, piece.AsSpan(0, length / 2)));
        var (before, after) = Around(instruction, "", first);
        return new(TextPromptKind.Instruction, [.. before, .. piece[..(length - before.Length - after.Length)], .. after], [], first);
    }

    private TextPrompt LookUpPrompt(RandomStream random, int length, bool first, bool unwrap)
    {
        var lookUp = LookUp.Draw(random, random.Between(_recipe.FewestFacts, _recipe.MostFacts), _recipe);
        var (before, after) = Around(lookUp.Question, random.Chance(_recipe.AnswerBegun) ? lookUp.Opening : "", first);
        var room = length - before.Length - after.Length;
        var facts = Fitting(lookUp, room);
        var piece = Piece(random, Math.Max(1, room), unwrap);
        var places = Places(random, piece.AsSpan(0, room - facts.Sum(fact => fact.Most)), facts.Length);
        random.Shuffle(facts.AsSpan());
        var text = new List<int>(room);
        var at = 0;
        foreach (var (place, fact) in places.Zip(facts))
        {
            text.AddRange(piece[at..place]);
            text.AddRange(EdgesOf(piece[place - 1]).EndsLine ? fact.Line : fact.Inline);
            at = place;
        }
        text.AddRange(piece[at..(at + room - text.Count)]);
        return new(TextPromptKind.LookUp, [.. before, .. text, .. after], [.. facts.Select(fact => fact.Text)], first);
    }

    // A sentence within a paragraph, or a line of its own where the text breaks off.
    private sealed record Fact(string Text, int[] Inline, int[] Line)
    {
        public int Most => Math.Max(Inline.Length, Line.Length);
    }

    // At least half of the room stays text: what is not asked for is left out first.
    private Fact[] Fitting(LookUp lookUp, int room)
    {
        Fact[] asked = [.. lookUp.Asked.Select(Encoded)];
        var used = asked.Sum(fact => fact.Most);
        if (2 * used > room)
            throw new InputException(
                $"a look-up of {used} tokens of facts does not fit a prompt with {room} tokens of text; leave out the shortest lengths of the recipe."
            );
        var others = lookUp.Others.Select(Encoded).TakeWhile(fact => 2 * (used += fact.Most) <= room);
        return [.. asked, .. others];

        Fact Encoded(string text) => new(text, _tokenizer.Encode(" " + text), _tokenizer.Encode(text + "\n"));
    }

    // Places behind the end of a sentence, or, where there are too few, of a line, each once while there are enough; increasing.
    private int[] Places(RandomStream random, ReadOnlySpan<int> piece, int count)
    {
        var (ends, lines) = (new List<int>(), new List<int>());
        for (var i = 0; i < piece.Length - 1; i++)
        {
            var edges = EdgesOf(piece[i]);
            if (edges.EndsSentence && (edges.EndsLine || EdgesOf(piece[i + 1]).StartsWord))
                ends.Add(i + 1);
            else if (edges.EndsLine)
                lines.Add(i + 1);
        }
        if (ends.Count < count)
            ends.AddRange(lines);
        var chosen = new int[count];
        for (var i = 0; i < count; i++)
        {
            if (ends.Count == 0)
                chosen[i] = random.Between(1, piece.Length);
            else
            {
                var pick = random.Below(ends.Count);
                chosen[i] = ends[pick];
                ends.RemoveAt(pick);
            }
        }
        Array.Sort(chosen);
        return chosen;
    }

    private (int[] Before, int[] After) Around(string instruction, string opening, bool first)
    {
        int[] before = first ? [.. _frame.Head, .. _tokenizer.Encode(instruction + Gap)] : _frame.Head;
        int[] after = first ? _frame.Tail : [.. _tokenizer.Encode(Gap + instruction), .. _frame.Tail];
        return (before, opening.Length == 0 ? after : [.. after, .. _tokenizer.Encode(opening)]);
    }

    private int[] Piece(RandomStream random, int tokens, bool unwrap) => _corpus.Piece(random, tokens, unwrap);

    // Control tokens are the template's alone.
    private int[] Encode(string text)
    {
        foreach (var control in _control)
            if (text.Contains(control, StringComparison.Ordinal))
                text = text.Replace(control, "");
        return _tokenizer.Encode(text);
    }

    private string Word(RandomStream random, ReadOnlySpan<int> piece)
    {
        string[] words =
        [
            .. _tokenizer
                .Decode(piece.ToArray())
                .Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries)
                .Select(word => word.Trim('.', ',', ';', ':', '!', '?', '"', '\'', '(', ')', '_', '“', '”'))
                .Where(word => word.Length >= LongWord && word.All(char.IsLetter)),
        ];
        return words.Length > 0 ? random.Pick(words) : "text";
    }

    private Edges EdgesOf(int token) => _edges.GetOrAdd(token, id => Edges.Of(_tokenizer.Token(id)));

    /// <summary>How a token's text begins and ends.</summary>
    private readonly record struct Edges(bool StartsWord, bool EndsSentence, bool EndsLine)
    {
        public static Edges Of(string text) =>
            new(text is [' ' or '\n', ..], text.TrimEnd('\n') is [.., '.' or '!' or '?'], text is [.., '\n']);
    }
}
