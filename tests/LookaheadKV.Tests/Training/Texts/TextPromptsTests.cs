using LookaheadKV.Checkpoints;
using LookaheadKV.Tests.Pretraining;
using LookaheadKV.Tests.Text;
using LookaheadKV.Text;
using LookaheadKV.Training.Texts;
using Xunit;

namespace LookaheadKV.Tests.Training.Texts;

/// <summary>Prompts made of texts: their lengths, what of them is never cut, their shares, and what they depend on.</summary>
public class TextPromptsTests
{
    private static readonly Tokenizer Nano = Tokenizer.Load(ModelFolders.Resolve("nano"));
    private static readonly string Document = Written(12_000, seed: 1);
    private static readonly TextCorpus Corpus = new([Document, Written(3_000, seed: 2)]);

    // The shipped model's tokenizer needs many tokens for words that it does not know.
    private static readonly TextRecipe Recipe = new()
    {
        Lengths = new Dictionary<int, double> { [700] = 1, [1200] = 1 },
        TokensPerStep = 6000,
        AnswerBegun = 0,
        MostFacts = 3,
    };

    public static TheoryData<string> Templates => [.. ChatTemplates.ByName.Keys];

    [Theory]
    [MemberData(nameof(Templates))]
    public void Prompts_have_exactly_the_tokens_asked_for_and_the_templates_stand_whole(string name)
    {
        var frame = PromptFrame.Of(ChatTemplates.ByName[name], Nano);
        var seen = new HashSet<TextPromptKind>();
        foreach (var length in (int[])[700, 701, 997])
        {
            var recipe = Recipe with { Lengths = new Dictionary<int, double> { [length] = 1 } };
            var prompts = new TextPrompts(Corpus, recipe, Nano, frame);
            foreach (var prompt in Enumerable.Range(0, 3).SelectMany(step => prompts.Step(seed: 5, step)))
            {
                seen.Add(prompt.Kind);
                Assert.Equal(length, prompt.Ids.Length);
                if (prompt.Kind == TextPromptKind.Raw)
                    continue;
                Assert.Equal(frame.Head, prompt.Ids[..frame.Head.Length]);
                Assert.Equal(frame.Tail, prompt.Ids[^frame.Tail.Length..]);
            }
        }
        Assert.Equal(3, seen.Count);
    }

    [Fact]
    public void Every_fact_stands_in_its_prompt_whole_and_once()
    {
        foreach (var prompt in Prompts(Recipe with { Shares = new(0, 1, 0) }, steps: 12))
        {
            var text = Nano.Decode(prompt.Ids);
            Assert.InRange(prompt.Facts.Count, 1, 3);
            Assert.All(prompt.Facts, fact => Assert.Equal(2, text.Split(fact).Length));
            Assert.DoesNotContain("magic", text); // the words of a benchmark must not be learned
        }
    }

    [Fact]
    public void Facts_stand_between_sentences_and_break_no_word()
    {
        foreach (var prompt in Prompts(Recipe with { Shares = new(0, 1, 0), QuestionFirst = 0 }, steps: 12))
        {
            var text = Nano.Decode(prompt.Ids);
            foreach (var fact in prompt.Facts)
            {
                var at = text.IndexOf(fact, StringComparison.Ordinal);
                Assert.Matches("[.!?]\\s+$", text[..at]);
                Assert.Matches("^\\s", text[(at + fact.Length)..]);
            }
        }
    }

    [Fact]
    public void Nothing_but_the_piece_of_text_is_cut()
    {
        var recipe = Recipe with { Shares = new(1, 0, 0), Unwrapped = 0, Instructions = ["Do this with \"{word}\"."] };
        var frame = PromptFrame.Of(ChatTemplates.ChatMl, Nano);
        var documents = new[] { Document, Written(3_000, seed: 2) };
        foreach (var prompt in new TextPrompts(Corpus, recipe, Nano, frame).Step(seed: 3, step: 0))
        {
            var inner = Nano.Decode(prompt.Ids[frame.Head.Length..^frame.Tail.Length]);
            var parts = prompt.QuestionFirst
                ? inner.Split("\n\n", 2)
                : [inner[(inner.LastIndexOf("\n\n") + 2)..], inner[..inner.LastIndexOf("\n\n")]];
            Assert.Matches("^Do this with \"[A-Za-z]+\"\\.$", parts[0]);
            Assert.Contains(parts[0].Split('"')[1], parts[1]);
            // From one document, or over its end into another one.
            Assert.Contains(parts[1].Split("\n\n", 2)[0], string.Join("\n\n", documents));
        }
    }

    [Fact]
    public void Kinds_come_in_the_shares_asked_for()
    {
        var recipe = Recipe with { Shares = new(2, 5, 3), QuestionFirst = 0.25, MostFacts = 1 };
        var prompts = Prompts(recipe, steps: 60);
        Near(0.2, prompts.Count(p => p.Kind == TextPromptKind.Instruction), prompts.Count);
        Near(0.5, prompts.Count(p => p.Kind == TextPromptKind.LookUp), prompts.Count);
        var chats = prompts.Where(p => p.Kind != TextPromptKind.Raw).ToArray();
        Near(0.25, chats.Count(p => p.QuestionFirst), chats.Length);

        // Four standard deviations of a share.
        static void Near(double share, int count, int of) =>
            Assert.InRange(
                (double)count / of,
                share - 4 * Math.Sqrt(share * (1 - share) / of),
                share + 4 * Math.Sqrt(share * (1 - share) / of)
            );
    }

    [Fact]
    public void A_step_is_a_function_of_seed_and_step_alone()
    {
        var (one, other) = (Make(Recipe), Make(Recipe));
        other.Step(1, 7);
        Assert.Equal(one.Step(1, 3).Select(Text), other.Step(1, 3).Select(Text));
        Assert.Equal(one.Examples(1)(3).Select(e => e.Prompt), one.Step(1, 3).Select(p => p.Ids));
        var all = new[] { one.Step(1, 3), one.Step(1, 4), one.Step(2, 3), one.HeldOut(1, 8) }.SelectMany(prompts => prompts).ToArray();
        Assert.Equal(all.Length, all.Select(Text).Distinct().Count());

        static string Text(TextPrompt prompt) => string.Join(' ', prompt.Ids);
    }

    [Fact]
    public void A_step_has_prompts_of_one_length_and_as_many_as_its_tokens_allow()
    {
        var prompts = Make(Recipe);
        var sizes = Enumerable.Range(0, 12).Select(step => prompts.Step(0, step)).ToArray();
        Assert.Equal([700, 1200], sizes.Select(step => Assert.Single(step.Select(p => p.Ids.Length).Distinct())).Distinct().Order());
        Assert.All(sizes, step => Assert.Equal(step[0].Ids.Length == 700 ? 8 : 5, step.Count));
        Assert.Single(Make(Recipe with { TokensPerStep = 1 }).Step(0, 0));
    }

    [Fact]
    public void Facts_are_new_in_every_prompt()
    {
        var facts = Prompts(Recipe with { Shares = new(0, 1, 0), MostFacts = 1 }, steps: 20).SelectMany(prompt => prompt.Facts).ToArray();
        Assert.Equal(facts.Length, facts.Distinct().Count());
    }

    [Fact]
    public void Control_tokens_in_a_text_are_no_control_tokens_of_the_prompt()
    {
        var control = Nano.SpecialTokens[0];
        var corpus = new TextCorpus([Document.Replace(". ", $". {control.Content}")]);
        var prompts = new TextPrompts(corpus, Recipe with { Shares = new(0, 0, 1) }, Nano, new PromptFrame([], [], []));
        Assert.All(prompts.Step(0, 0), prompt => Assert.DoesNotContain(control.Id, prompt.Ids));
    }

    [Fact]
    public void Lengths_without_room_are_refused()
    {
        var recipe = Recipe with { Lengths = new Dictionary<int, double> { [20] = 1 } };
        Assert.Contains("no room for text", Assert.Throws<InputException>(() => Make(recipe)).Message);
        Assert.Contains("200 characters", Assert.Throws<InputException>(() => new TextCorpus(["short"])).Message);
        Assert.Contains("no such folder", Assert.Throws<InputException>(() => TextCorpus.Read("no/such")).Message);
    }

    [Theory]
    [InlineData("{\"lengths\":{}}", "lengths")]
    [InlineData("{\"lengths\":{\"0\":1}}", "lengths")]
    [InlineData("{\"lengths\":{\"512\":-1}}", "lengths")]
    [InlineData("{\"shares\":{\"raw\":0,\"lookUps\":0,\"instructions\":0}}", "shares")]
    [InlineData("{\"shares\":null}", "shares")]
    [InlineData("{\"questionFirst\":1.5}", "questionFirst")]
    [InlineData("{\"fewestFacts\":4,\"mostFacts\":3}", "mostFacts")]
    [InlineData("{\"askSeveral\":0.7,\"askAll\":0.7}", "askSeveral + askAll")]
    [InlineData("{\"instructions\":[\" \"]}", "instructions")]
    [InlineData("{\"lengths\":{\"0\":1,\"512\":1}}", "lengths")]
    [InlineData("{\"lengths\":{\"512\":1,\"1024\":-0.5}}", "lengths")]
    [InlineData("{\"tokensPerStep\":0}", "tokensPerStep")]
    [InlineData("{\"promptsPerStep\":0}", "promptsPerStep")]
    [InlineData("{\"unwrapped\":-0.1}", "\"unwrapped\"")]
    [InlineData("{\"answerBegun\":1.1}", "\"answerBegun\"")]
    [InlineData("{\"fewestFacts\":0}", "fewestFacts")]
    [InlineData("{\"mostFacts\":65}", "mostFacts")]
    [InlineData("{\"askSeveral\":1.1}", "\"askSeveral\"")]
    [InlineData("{\"askSeveral\":0,\"askAll\":1.1}", "\"askAll\"")]
    [InlineData("{\"instructions\":[]}", "instructions")]
    [InlineData("{\"instructions\":[\"Do this.\",\" \"]}", "instructions")]
    [InlineData("{\"nonsense\":1}", "nonsense")]
    [InlineData("null", "null")]
    public void A_recipe_that_cannot_be_run_is_refused(string json, string named)
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, json);
            var message = Assert.Throws<InputException>(() => TextRecipe.Read(path)).Message;
            Assert.Contains(path, message);
            Assert.Contains(named, message);
            Assert.Contains(named, Assert.Throws<InputException>(() => TextRecipe.Parse(json)).Message);
            Assert.DoesNotContain('\n', message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Theory]
    [InlineData("{\"lengths\":{\"1\":0,\"2\":1},\"tokensPerStep\":1,\"promptsPerStep\":1}")]
    [InlineData("{\"questionFirst\":0,\"unwrapped\":1,\"answerBegun\":1,\"askSeveral\":1,\"askAll\":0}")]
    [InlineData("{\"questionFirst\":1,\"unwrapped\":0,\"answerBegun\":0,\"askSeveral\":0,\"askAll\":1}")]
    [InlineData("{\"fewestFacts\":64,\"mostFacts\":64,\"shares\":{\"raw\":1,\"lookUps\":0,\"instructions\":0}}")]
    public void The_ends_of_each_range_are_in_it(string json) => TextRecipe.Parse(json).Check();

    [Fact]
    public void A_length_fits_from_twice_what_is_never_cut()
    {
        string[] instructions = ["Say it shortly.", "Do.", "Say in a few words what is said at the end of the text."];
        var frame = PromptFrame.Of(ChatTemplates.ChatMl, Nano);
        var needed = 2 * (frame.Head.Length + frame.Tail.Length + instructions.Max(text => Nano.Encode(text + "\n\n").Length));
        With(needed);
        Assert.Contains($"make the shortest length {needed} or more", Assert.Throws<InputException>(() => With(needed - 1)).Message);
        Assert.Contains("\"tokensPerStep\"", Assert.Throws<InputException>(() => Make(Recipe with { TokensPerStep = 0 })).Message);

        void With(int length) =>
            Make(
                Recipe with
                {
                    Lengths = new Dictionary<int, double> { [5000] = 1, [length] = 1 },
                    Instructions = instructions,
                }
            );
    }

    [Fact]
    public void A_look_up_that_does_not_fit_is_refused_and_says_what_to_leave_out()
    {
        var recipe = Recipe with
        {
            Lengths = new Dictionary<int, double> { [140] = 1 },
            Shares = new(0, 1, 0),
            FewestFacts = 4,
            MostFacts = 4,
            AskSeveral = 1,
            AskAll = 0,
            Instructions = ["Do."],
        };
        Assert.Contains("leave out the shortest lengths", Assert.Throws<InputException>(() => Make(recipe).Step(0, 0)).Message);
    }

    [Fact]
    public void Prompts_held_out_take_turns_through_the_lengths_that_have_a_weight()
    {
        var recipe = Recipe with
        {
            Lengths = new Dictionary<int, double>
            {
                [700] = 1,
                [800] = 0,
                [900] = 2,
            },
        };
        Assert.Equal([700, 900, 700, 900], Make(recipe).HeldOut(seed: 1, 4).Select(prompt => prompt.Ids.Length));
    }

    /// <summary>A text to go on with begins as the tokenizer begins all, is as long as was asked, and has no question.</summary>
    [Fact]
    public void A_text_to_go_on_with_begins_with_the_tokenizers_begin()
    {
        var begin = new Tokenizer(Samples.Definition.With(new TokenizerConfig { BeginToken = Samples.Ask, AddsBegin = true }));
        Assert.NotEmpty(begin.PromptBegin);
        var recipe = Recipe with
        {
            Shares = new(0, 0, 1),
            Lengths = new Dictionary<int, double> { [700] = 1 },
        };
        foreach (var prompt in new TextPrompts(Corpus, recipe, begin, new PromptFrame([], [], [])).Step(0, 0))
        {
            Assert.Equal(700, prompt.Ids.Length);
            Assert.Equal(begin.PromptBegin, prompt.Ids[..begin.PromptBegin.Count]);
            Assert.Equal((TextPromptKind.Raw, false), (prompt.Kind, prompt.QuestionFirst));
        }
    }

    [Theory]
    [InlineData("nothing", 0)]
    [InlineData("{{ messages[0].content }} {{ messages[0].content }}", 2)]
    public void A_template_has_one_place_for_a_question(string jinja, int places)
    {
        var template = ChatTemplate.Parse(jinja, []);
        Assert.Contains($"{places} places", Assert.Throws<InputException>(() => PromptFrame.Of(template, Nano)).Message);
    }

    [Theory]
    [InlineData("a\nb", "a b")]
    [InlineData("ab\ncd\n\nef", "ab cd\n\nef")]
    [InlineData("ab \ncd", "ab \ncd")]
    [InlineData("ab\n 1", "ab\n 1")]
    [InlineData("ab\n- c", "ab\n- c")]
    [InlineData("\nab", "\nab")]
    [InlineData("ab\n", "ab\n")]
    [InlineData("", "")]
    public void Single_line_breaks_between_words_become_spaces(string text, string unwrapped) =>
        Assert.Equal(unwrapped, TextCorpus.Unwrap(text));

    [Fact]
    public void A_document_has_two_hundred_characters_and_a_folder_without_one_is_named()
    {
        var corpus = new TextCorpus([new('a', 199), new string('b', 200) + " \r\n", new('c', 300)]);
        Assert.Equal([new('b', 200), new string('c', 300)], corpus.Documents);
        Assert.Equal(500, corpus.Characters);
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["a.txt"], "short");
        Assert.StartsWith(folder.Path, Assert.Throws<InputException>(() => TextCorpus.Read(folder.Path)).Message);
        File.WriteAllText(folder["b.txt"], new string('b', 200));
        Assert.Equal(200, TextCorpus.Read(folder.Path).Characters);
    }

    [Fact]
    public void The_recipe_of_the_documentation_is_the_one_that_is_built_in()
    {
        for (var folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
            if (Path.Combine(folder, "docs", "text-recipe.json") is var file && File.Exists(file))
            {
                Assert.Equal(new TextRecipe().ToJson() + "\n", File.ReadAllText(file));
                return;
            }
        Assert.Fail("docs/text-recipe.json is not above the tests.");
    }

    [Fact]
    public void A_recipe_written_out_is_read_as_it_was()
    {
        var json = new TextRecipe().ToJson();
        Assert.Equal(json, TextRecipe.Parse(json).ToJson());
        Assert.Equal(json, TextRecipe.Parse("{}").ToJson());
    }

    private static TextPrompts Make(TextRecipe recipe) => new(Corpus, recipe, Nano, PromptFrame.Of(ChatTemplates.ChatMl, Nano));

    private static List<TextPrompt> Prompts(TextRecipe recipe, int steps)
    {
        var prompts = Make(recipe);
        return [.. Enumerable.Range(0, steps).SelectMany(step => prompts.Step(seed: 9, step))];
    }

    // Sentences of random words in paragraphs of wrapped lines.
    private static string Written(int words, int seed)
    {
        string[] known =
        [
            "river",
            "mountain",
            "quietly",
            "morning",
            "walked",
            "the",
            "a",
            "of",
            "with",
            "evening",
            "window",
            "letters",
            "and",
            "init.py",
        ];
        var random = new Random(seed);
        return string.Concat(
            Enumerable
                .Range(0, words)
                .Select(i =>
                    known[random.Next(known.Length)]
                    + random.Next(40) switch
                    {
                        < 3 => ". ",
                        3 => ".\n\n",
                        < 7 => "\n",
                        _ => " ",
                    }
                )
        );
    }
}
