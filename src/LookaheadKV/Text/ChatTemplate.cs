using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Files;
using LookaheadKV.Jinja;

namespace LookaheadKV.Text;

/// <summary>
/// The form in which a model was taught conversations: its Jinja template, evaluated. The text it gives holds the control tokens, the
/// begin token included, and is encoded as it is.
/// </summary>
public sealed class ChatTemplate
{
    private const string DefaultName = "default";
    private const string WithTools = "tool_use";
    private const string ProcessorFile = "chat_template.json";
    private const string AdditionalFolder = "additional_chat_templates";
    private const string TemplateKey = "chat_template";
    private static readonly JsonElement None = JsonSerializer.SerializeToElement<object?>(null);

    private readonly Template _template;
    private readonly Template? _withTools;
    private readonly IReadOnlyDictionary<string, JsonElement> _given;
    private readonly Lazy<string?> _endOfAnswer;

    private ChatTemplate(Template template, Template? withTools, IReadOnlyDictionary<string, JsonElement> given)
    {
        (_template, _withTools, _given) = (template, withTools, given);
        _endOfAnswer = new Lazy<string?>(FindEnd);
    }

    /// <summary>
    /// What the template puts behind an answer, without space around it: in most a single token, such as <c>&lt;|im_end|&gt;</c>; null
    /// where it has no place for an answer alone, or puts nothing there.
    /// </summary>
    public string? EndOfAnswer => _endOfAnswer.Value;

    /// <summary>The token that ends an answer, beside those that the model's configuration names; null where no control token does.</summary>
    public int? EndToken(Tokenizer tokenizer) =>
        EndOfAnswer is { } end && tokenizer.Encode(end) is [var first, ..] && tokenizer.SpecialTokens.Any(token => token.Id == first)
            ? first
            : null;

    /// <summary>A template's text.</summary>
    /// <param name="jinja">The text.</param>
    /// <param name="tokens">Texts of tokens that the template names, such as <c>bos_token</c>.</param>
    /// <param name="name">What messages call the template.</param>
    /// <exception cref="InputException">It is no template, or uses what is not known here.</exception>
    public static ChatTemplate Parse(string jinja, IEnumerable<KeyValuePair<string, string>> tokens, string name = "chat template") =>
        new(
            Template.Parse(jinja, name),
            null,
            tokens.ToDictionary(static token => token.Key, static token => JsonSerializer.SerializeToElement(token.Value))
        );

    /// <summary>A model's template.</summary>
    /// <param name="files">The model's files.</param>
    /// <param name="name">
    /// Which of several. Null: the one called <c>default</c>, and <c>tool_use</c>, where there is one, for conversations with tools.
    /// </param>
    /// <exception cref="InputException">The model has no template, none of this name, or one that uses what is not known here.</exception>
    public static ChatTemplate Of(ModelFiles files, string? name = null)
    {
        var all = Texts(files, name);
        if (all.Count == 0)
            throw new InputException($"{files.Path}: this model has no chat template; give one by its file, or use the raw prompt.");
        if (!all.TryGetValue(name ?? DefaultName, out var chosen))
            throw new InputException(
                $"{files.Path}: there is no chat template {Quoting.Quote(name ?? DefaultName)}; name one of {string.Join(", ", all.Keys)}, or a file."
            );
        var tools = name is null && all.TryGetValue(WithTools, out var other) ? Parsed(other) : null;
        return new ChatTemplate(Parsed(chosen), tools, SpecialTokens.Read(files));
    }

    /// <summary>The same, of the model at a path.</summary>
    /// <param name="model">What <see cref="ModelFiles.Open"/> takes.</param>
    /// <param name="name">Which of several; null: the default.</param>
    /// <exception cref="InputException">As above, or there is no model.</exception>
    public static ChatTemplate Of(string model, string? name = null) => Of(ModelFiles.Open(model), name);

    /// <summary>A template in a file of its own, with the tokens of a model.</summary>
    /// <param name="path">The file.</param>
    /// <param name="files">The model whose tokens the template may name.</param>
    /// <exception cref="InputException">The file cannot be read, is no template, or uses what is not known here.</exception>
    public static ChatTemplate OfFile(string path, ModelFiles files)
    {
        var (folder, file) = ModelFiles.OfFile(path);
        return new ChatTemplate(Parsed((folder.Text(file), path)), null, SpecialTokens.Read(files));
    }

    /// <summary>Whether a model has a template at all.</summary>
    /// <exception cref="InputException">A file is damaged.</exception>
    public static bool IsIn(string model) => Texts(ModelFiles.Open(model)).Count > 0;

    /// <summary>The same template, which is given these variables with every conversation, such as <c>enable_thinking</c>.</summary>
    public ChatTemplate With(IReadOnlyDictionary<string, JsonElement> variables) =>
        new(
            _template,
            _withTools,
            new Dictionary<string, JsonElement>([.. _given.Where(given => !variables.ContainsKey(given.Key)), .. variables])
        );

    /// <summary>The text of a conversation.</summary>
    /// <param name="messages">The turns, at least one.</param>
    /// <param name="answer">Whether the text ends with the opening of the assistant's next turn.</param>
    /// <param name="variables">
    /// What the template is given beside them and the model's tokens: <c>tools</c> and <c>documents</c> (null where they are not given), and
    /// switches of its own, such as <c>enable_thinking</c>. They go before all others.
    /// </param>
    /// <exception cref="InputException">The template refuses the conversation, or something in it goes wrong.</exception>
    public string Render(
        IReadOnlyList<ChatMessage> messages,
        bool answer = true,
        IReadOnlyDictionary<string, JsonElement>? variables = null
    )
    {
        if (messages.Count == 0)
            throw new InputException("the conversation is empty; give at least one message.");
        var given = new Dictionary<string, JsonElement>
        {
            ["messages"] = JsonSerializer.SerializeToElement(messages.Select(static message => message.Json)),
            ["tools"] = None,
            ["documents"] = None,
            ["add_generation_prompt"] = JsonSerializer.SerializeToElement(answer),
        };
        foreach (var (name, value) in _given.Concat(variables ?? new Dictionary<string, JsonElement>()))
            given[name] = value;
        return (given["tools"].ValueKind == JsonValueKind.Null ? _template : _withTools ?? _template).Render(given);
    }

    private static Template Parsed((string Text, string Source) template) =>
        Template.Parse(template.Text, $"{template.Source}: chat template");

    /// <summary>The templates of a model by their names, each with the file that it is in. What is alone is the default.</summary>
    private static Dictionary<string, (string Text, string Source)> Texts(ModelFiles files, string? asked = null)
    {
        var all = new Dictionary<string, (string, string)>();
        foreach (var file in new[] { ProcessorFile, ModelFiles.TokenizerConfig })
        {
            if (!files.Has(file))
                continue;
            foreach (var (name, text) in files.Json(file, static root => Named(root[TemplateKey]).ToList()))
                all[name] = (text, files.NameOf(file));
        }
        if (files.Has(ModelFiles.ChatTemplate))
            all[DefaultName] = (files.Text(ModelFiles.ChatTemplate), files.NameOf(ModelFiles.ChatTemplate));
        foreach (var name in new[] { WithTools, asked ?? WithTools })
        {
            var file = $"{AdditionalFolder}/{name}.jinja";
            if (files.Has(file))
                all[name] = (files.Text(file), files.NameOf(file));
        }
        return all;
    }

    private static IEnumerable<(string Name, string Text)> Named(JsonField field) =>
        !field.Present ? []
        : field.IsArray ? field.Items().Select(static item => (item["name"].Text(), item["template"].Text()))
        : field.IsObject ? field.Properties().Select(static entry => (entry.Key, entry.Value.Text()))
        : [(DefaultName, field.Text())];

    // The template itself shows it: what stands behind the text of an answer.
    private string? FindEnd()
    {
        const string Answer = "The answer.";
        try
        {
            var text = Render([ChatMessage.User("The question?"), ChatMessage.Assistant(Answer)], answer: false);
            var at = text.LastIndexOf(Answer, StringComparison.Ordinal);
            return at >= 0 && text[(at + Answer.Length)..].Trim() is { Length: > 0 } end ? end : null;
        }
        catch (InputException)
        {
            return null;
        }
    }
}
