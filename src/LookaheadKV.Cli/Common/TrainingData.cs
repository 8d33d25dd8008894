using System.CommandLine;
using LookaheadKV.Checkpoints;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Generation;
using LookaheadKV.Models;
using LookaheadKV.Runtime;
using LookaheadKV.Text;
using LookaheadKV.Training;
using LookaheadKV.Training.Texts;

namespace LookaheadKV.Cli.Common;

/// <summary>What a training reads.</summary>
/// <param name="Source">The examples of a step.</param>
/// <param name="HeldOut">Those that it does not train on; may be none.</param>
/// <param name="EndTokens">Tokens that end a response, beside those of the model's configuration.</param>
/// <param name="Texts">What prompts are made of texts; null where they are not.</param>
internal sealed record TrainingSet(
    ExampleSource Source,
    IReadOnlyList<LookaheadExample> HeldOut,
    IReadOnlyList<int> EndTokens,
    TextRecipe? Texts = null
);

/// <summary>The options that say what modules are trained on: prompts, where they are cut, responses, and what is held out.</summary>
internal sealed class TrainingData
{
    private const string Synthetic = "tasks";
    private const int Measured = 16; // of prompts that are made, of which there are as many as one likes

    /// <summary>Who says the responses.</summary>
    private enum Responder
    {
        Own,
        Given,
    }

    private readonly Option<string> _data = new("--data")
    {
        Description =
            $"`{Synthetic}`: the training half of the synthetic tasks; or a JSON-lines file with \"prompt\", \"messages\" or \"prompt_ids\" and, if known, \"response\" or \"response_ids\".",
        DefaultValueFactory = _ => Synthetic,
    };
    private readonly Option<string?> _texts = new("--texts")
    {
        Description = "Folder of .txt files, a document each, that prompts are made of; instead of --data.",
    };
    private readonly Option<string?> _textRecipe = new("--text-recipe")
    {
        Description = "JSON file: kinds, shares and lengths of the prompts made of texts [default: docs/text-recipe.json].",
    };
    private readonly Option<int[]> _lengths = new("--lengths")
    {
        Description = "Lengths of the synthetic prompts, drawn from.",
        AllowMultipleArgumentsPerToken = true,
        DefaultValueFactory = _ => [512, 1024, 2048, 2048, 2048],
        Validators =
        {
            result =>
            {
                if (result.Tokens.FirstOrDefault(token => int.TryParse(token.Value, out var length) && length < 1) is { } wrong)
                    result.AddError($"--lengths: {wrong.Value} is no length; give whole numbers of 1 or more.");
            },
        },
    };
    private readonly Setting<int?> _maxPrompt = Parsed.CountIfGiven(
        "--max-prompt",
        "Longer prompts lose their middle [default: the recipe's, or what the model's context leaves]."
    );
    private readonly Setting<int?> _maxResponse = Parsed.CountIfGiven(
        "--max-response",
        "Longest response in tokens [default: the recipe's]."
    );
    private readonly Setting<Responder> _responses = new(
        "--responses",
        "own: the model's answers, generated once and remembered; given: the data's.",
        Parsed.Name<Responder>,
        "own"
    );
    private readonly Setting<double?> _temperature = Parsed.Number(
        "--temperature",
        "Temperature of the model's answers; 0 takes the most likely token.",
        "0",
        orZero: true
    );
    private readonly Output _cache = Output.File(
        "--response-cache",
        "File in which the model's answers are remembered [default: responses.jsonl in --out; with --texts none].",
        static path =>
        {
            ResponseCache.Require(path); // it is added to, and never replaced
            return true;
        }
    );
    private readonly TemplateOptions _template = new("Chat template of messages, instead of the model's default", takesRaw: false);
    private readonly Setting<HeldOut?> _heldOut = new(
        "--held-out",
        "Prompts to measure on before and after, not trained on: 5%, a number, or a JSON-lines file [default: 5%, at most 64; 16 of the synthetic tasks or of texts].",
        HeldOut.Parse
    );

    public IEnumerable<Option> Options =>
        [_data, _texts, _textRecipe, _lengths, _maxPrompt, _maxResponse, _responses, _temperature, _cache, .. _template.All, _heldOut];

    /// <summary>Whether prompts are made of texts.</summary>
    public bool OfTexts(Call call) => call.Value(_texts) is not null;

    /// <summary>The paper's recipe for a file, others for the synthetic tasks and for texts.</summary>
    public TrainingRecipe DefaultRecipe(Call call, DecoderConfig config) =>
        OfTexts(call) ? TrainingRecipe.FromTexts
        : call.Value(_data) == Synthetic ? TrainingRecipe.Small
        : TrainingRecipe.Paper(config);

    /// <summary>Prompts a step, where the data says how many; null where it does not.</summary>
    public int? Batch(Call call) => Texts(call)?.PromptsPerStep;

    private TextRecipe? Texts(Call call)
    {
        var file = call.Value(_textRecipe);
        if (!OfTexts(call))
            return file is null
                ? null
                : throw new UsageException("--text-recipe says what is made of texts: name their folder by --texts.");
        if (call.Arguments.GetResult(_data) is { Implicit: false })
            throw new UsageException("--data and --texts are both given; train on one of them.");
        return file is null ? new TextRecipe() : TextRecipe.Read(file);
    }

    /// <summary>The recipe with the lengths that were asked for and that fit the model.</summary>
    public TrainingRecipe Fitted(Call call, TrainingRecipe recipe, DecoderConfig config, int tokens)
    {
        if (Texts(call) is { } texts)
            return OfLengths(texts);
        var context = config.SlidingWindow is { } window ? Math.Min(window - tokens, config.MaxPositions) : config.MaxPositions;
        var response = call.Value(_maxResponse) ?? Math.Min(recipe.MaxResponse, Math.Max(1, context / 8));
        var prompt = call.Value(_maxPrompt) ?? Math.Min(recipe.MaxPrompt, Math.Max(1, context - response));
        return prompt < context
            ? recipe with
            {
                MaxPrompt = prompt,
                MaxResponse = Math.Min(response, context - prompt),
            }
            : throw new InputException(
                $"--max-prompt {prompt} leaves no room for a response: the model attends to {context} tokens; lower it."
            );

        TrainingRecipe OfLengths(TextRecipe texts)
        {
            var (longest, response) = (texts.Lengths.Keys.Max(), call.Value(_maxResponse) ?? recipe.MaxResponse);
            var end = longest + Math.Max(response, tokens);
            if (end > config.MaxPositions)
                throw new InputException(
                    $"prompts of {longest} tokens leave no room for responses of {response}: the model's context is {config.MaxPositions}; shorten the lengths of the text recipe or --max-response."
                );
            config.RequireWholeAttention(end);
            return recipe with { MaxPrompt = longest, MaxResponse = response };
        }
    }

    /// <summary>The lengths of a recipe, as values of their options.</summary>
    public static IEnumerable<(string Name, string? Value)> Lengths(TrainingRecipe recipe) =>
        [("--max-prompt", $"{recipe.MaxPrompt}"), ("--max-response", $"{recipe.MaxResponse}")];

    private ChatTemplate Template(Call call, ModelOptions model) =>
        _template.Read(call, model.Folder(call), () => ChatTemplate.Of(model.Folder(call)))!;

    /// <summary>Reads the data.</summary>
    public TrainingSet Read(Call call, ModelOptions model, DecoderConfig config, TrainingRecipe recipe)
    {
        var (data, seed, held) = (call.Value(_data), call.Value(model.Seed), call.Value(_heldOut) ?? HeldOut.Default);
        var file = new TrainingFile(config, () => model.Tokenizer(call), () => Template(call, model));
        if (data == Synthetic && !OfTexts(call))
        {
            var lengths = call.Value(_lengths);
            if (lengths.FirstOrDefault(length => length < 1 || length > config.MaxPositions) is var wrong and not 0)
                throw new InputException($"--lengths {wrong} is outside 1..{config.MaxPositions}, the model's context.");
            var encoder = new PieceEncoder(model.Tokenizer(call).Encode);
            // Seed 0 of the training half is what models are measured on while they train.
            var source = TaskExamples.Of(encoder, recipe.Batch, lengths, seed + 1);
            var measured = held.File is { } own ? Lines(own) : Held(encoder, lengths.Max(), MadeCount(call.Value(_heldOut)), seed);
            return new TrainingSet(source, measured, []);
        }
        if (Texts(call) is { } texts)
        {
            texts = texts with { PromptsPerStep = recipe.Batch };
            var tokenizer = model.Tokenizer(call);
            var frame = PromptFrame.Of(Template(call, model), tokenizer);
            var corpus = TextCorpus.Read(call.Value(_texts)!);
            var prompts = new TextPrompts(corpus, texts, tokenizer, frame);
            call.Screen.Line(Units.Format($"{corpus.Documents.Count} texts of {corpus.Characters / 1e6:0.0} million characters"));
            return new TrainingSet(
                prompts.Examples(seed),
                held.File is { } own
                    ? Lines(own)
                    : [.. prompts.HeldOut(seed, MadeCount(call.Value(_heldOut))).Select(p => new LookaheadExample(p.Ids, []))],
                frame.EndTokens,
                texts
            );
        }
        var all = Lines(data);
        var (training, heldOut) = held.File is { } other ? (all, Lines(other)) : TrainingFile.HoldOut(all, held.Of(all.Count), seed);
        if (file.Cut > 0)
            call.Screen.Line(
                $"{file.Cut} of {all.Count + (held.File is null ? 0 : heldOut.Count)} prompts were longer than {recipe.MaxPrompt} tokens and lost their middle"
            );
        return new TrainingSet(TrainingFile.Shuffled(training, recipe.Batch, seed), heldOut, file.EndTokens);

        IReadOnlyList<LookaheadExample> Lines(string path)
        {
            var lines = File.Exists(path) ? File.ReadLines(path).Count() : 0;
            return call.Screen.Progress(
                $"read {path}",
                report => file.Read(path, recipe.MaxPrompt, new Inline<int>(done => report(new Tick(done, lines, "prompts"))))
            );
        }
    }

    /// <summary>
    /// Where responses come from, in training (null: the data's own are guesses to be verified, which spares most of the generating where the
    /// data set knows the answers) and in measuring.
    /// </summary>
    public (IResponses? Training, IResponses Measuring) Responses(
        Call call,
        ModelOptions model,
        Decoder decoder,
        Execution execution,
        TrainingRecipe recipe,
        TrainingSet set,
        string folder
    )
    {
        if (call.Value(_responses) == Responder.Given)
        {
            var given = new GivenResponses(recipe.MaxResponse);
            return (given, given);
        }
        var sampling = new SamplingOptions { Temperature = call.Value(_temperature)!.Value, Seed = call.Value(model.Seed) };
        var greedy = sampling.Temperature == 0;
        // All that a response depends on beside its prompt; of a greedy one the seed is no part.
        var settings = FormattableString.Invariant(
            $"{FolderFingerprint.Of(model.Folder(call))} {decoder.DType} {recipe.MaxResponse} {sampling.Temperature} {(greedy ? 0 : sampling.Seed)} {string.Join(',', set.EndTokens)}"
        );
        // Prompts made of texts come once: remembering their answers serves other runs on the same ones.
        var file = _cache.PathIfAny(call) ?? (set.Texts is null ? Path.Combine(folder, ResponseCache.FileName) : null);
        var cache = file is null ? null : ResponseCache.Open(file, settings);
        var own = new OwnResponses(decoder, sampling, recipe.MaxResponse, cache, set.EndTokens, execution);
        return (greedy && call.Value(_data) == Synthetic && set.Texts is null ? null : own, own);
    }

    private static int MadeCount(HeldOut? asked) =>
        asked is null ? Measured
        : asked.Share is null ? asked.Count!.Value
        : throw new UsageException("--held-out: a share of prompts that are made is no number; give how many prompts.");

    private static IReadOnlyList<LookaheadExample> Held(PieceEncoder encoder, int length, int count, long seed) =>
        [
            .. Enumerable
                .Range(0, count)
                .Select(i => TaskGenerators.Generate(TaskNames.All[i % TaskNames.All.Count], length, seed, i, encoder))
                .Select(sample => new LookaheadExample(sample.PromptIds, sample.AnswerIds)),
        ];
}
