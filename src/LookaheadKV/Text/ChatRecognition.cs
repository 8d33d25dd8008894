using System.Text.RegularExpressions;

namespace LookaheadKV.Text;

/// <summary>
/// Tells which of the known formats a Jinja template is, by the markers and the string literals in it. A template with parts that the
/// formats do not have (thoughts, dates, a system message put together from pieces) is not recognised: a wrong prompt would go unnoticed.
/// </summary>
internal static partial class ChatRecognition
{
    /// <summary>The format of a tokenizer's template, or null if it is none of those that are known.</summary>
    public static ChatTemplate? Recognise(TokenizerConfig config)
    {
        var jinja = config.ChatTemplate ?? "";
        return jinja.Contains("<|start_header_id|>") && jinja.Contains("<|eot_id|>") ? Llama3(jinja, config)
            : jinja.Contains("<|im_start|>") ? ChatMl(jinja, config)
            : jinja.Contains("[INST]") ? Mistral(jinja, config)
            : null;
    }

    private static Llama3Chat? Llama3(string jinja, TokenizerConfig config)
    {
        var dated = jinja.Contains("Cutting Knowledge Date: December 2023");
        if (jinja.Contains("think") || (!dated && jinja.Contains("date")) || !Trim().IsMatch(jinja))
            return null;
        return new Llama3Chat(dated) { Begin = Begin(jinja, config, "<|begin_of_text|>") };
    }

    private static ChatTemplate? ChatMl(string jinja, TokenizerConfig config)
    {
        if (jinja.Contains("enable_thinking") && jinja.Contains("last_query_index"))
            return new Qwen3Chat();
        if (jinja.Contains("think") || jinja.Contains("strftime") || jinja.Contains("date_string"))
            return null;
        return new ChatMl
        {
            Begin = Begin(jinja, config, ""),
            DefaultSystem = DefaultSystem().Match(jinja) is { Success: true } found ? found.Groups[1].Value : null,
            Trims = Trim().IsMatch(jinja),
        };
    }

    private static MistralChat? Mistral(string jinja, TokenizerConfig config)
    {
        if (jinja.Contains("<<SYS>>") || jinja.Contains("default_system_message") || jinja.Contains("THINK"))
            return null;
        var (open, close) = (OpenQuestion().Match(jinja), CloseQuestion().Match(jinja));
        MistralChat.SystemPlace? place =
            jinja.Contains("[SYSTEM_PROMPT]") ? MistralChat.SystemPlace.Own
            : !jinja.Contains("system") ? MistralChat.SystemPlace.None
            : jinja.Contains("loop.first and system_message") ? MistralChat.SystemPlace.FirstQuestion
            : jinja.Contains("loop.last and system_message") ? MistralChat.SystemPlace.LastMessage
            : jinja.Contains("user_messages[-1]") ? MistralChat.SystemPlace.LastQuestion
            : null;
        if (!open.Success || !close.Success || place is null)
            return null;
        return new MistralChat
        {
            Variant = "of the folder",
            Begin = Begin(jinja, config, "<s>"),
            End = config.EndToken ?? "</s>",
            Open = open.Groups[1].Value,
            Close = close.Groups[1].Value,
            BeforeAnswer = SpaceBeforeAnswer().IsMatch(jinja) ? " " : "",
            AfterAnswer = SpaceAfterAnswer().IsMatch(jinja) ? " " : "",
            TrimsAnswers = TrimmedAnswer().IsMatch(jinja),
            System = place.Value,
        };
    }

    private static string Begin(string jinja, TokenizerConfig config, string usual) =>
        !jinja.Contains("bos_token") ? (jinja.Contains(usual, StringComparison.Ordinal) ? usual : "") : config.BeginToken ?? usual;

    [GeneratedRegex("""\|\s*trim\b""")]
    private static partial Regex Trim();

    // A line break in a literal is written as \n, or is one.
    [GeneratedRegex("""<\|im_start\|>system(?:\\n|\n)([^'"{}<\\\n]+)<\|im_end\|>""")]
    private static partial Regex DefaultSystem();

    [GeneratedRegex("""["'](\s?\[INST\]\s?)["']""")]
    private static partial Regex OpenQuestion();

    [GeneratedRegex("""["'](\s?\[/INST\])["']""")]
    private static partial Regex CloseQuestion();

    [GeneratedRegex("""["'] ["']\s*\+\s*message\[["']content["']\]""")]
    private static partial Regex SpaceBeforeAnswer();

    [GeneratedRegex("""eos_token\s*\+\s*["'] ["']""")]
    private static partial Regex SpaceAfterAnswer();

    [GeneratedRegex("""message\[["']content["']\]\s*\|\s*trim\s*\+\s*eos_token""")]
    private static partial Regex TrimmedAnswer();
}
