using System.Text.Json;

namespace LookaheadKV.Jinja;

/// <summary>
/// A template in the Jinja language, as Hugging Face's chat templates use it: evaluated as jinja2 does it in the environment that transformers
/// sets up (sandboxed, trim_blocks, lstrip_blocks, loop controls). What is not known is refused by its name and line.
/// </summary>
public sealed class Template
{
    private readonly Body _body;
    private readonly string _name;

    private Template(Body body, string name) => (_body, _name) = (body, name);

    /// <summary>Reads a template.</summary>
    /// <param name="source">Its text.</param>
    /// <param name="name">What messages call it, such as <c>chat template</c> or its file.</param>
    /// <exception cref="InputException">It is no template, or uses what is not known here: the message has the name and the line.</exception>
    public static Template Parse(string source, string name)
    {
        return Guarded(
            name,
            () => 0,
            () =>
            {
                var body = Parser.Parse(source);
                Scoping.Resolve(body);
                return new Template(body, name);
            }
        );
    }

    /// <summary>Evaluates the template.</summary>
    /// <param name="variables">The names that it may read, and their values as JSON.</param>
    /// <param name="limits">What it may cost; null: <see cref="Limits.Default"/>.</param>
    /// <param name="clock">The clock of <c>strftime_now</c>; null: the system's.</param>
    /// <exception cref="InputException">
    /// The template refuses (raise_exception), does what Python would refuse, or exceeds a limit: the message has the name and the line.
    /// </exception>
    public string Render(IEnumerable<KeyValuePair<string, JsonElement>> variables, Limits? limits = null, TimeProvider? clock = null)
    {
        var machine = new Machine(limits ?? Limits.Default, clock ?? TimeProvider.System);
        return Guarded(
            _name,
            () => machine.Line,
            () =>
            {
                var given = new Scope(null);
                foreach (var (name, value) in Globals.All)
                    given.Set(name, value);
                foreach (var (name, value) in variables)
                    given.Set(name, Json.Value(value));
                return new Interpreter(machine).Output(_body, Scope.For(_body, given));
            }
        );
    }

    private static T Guarded<T>(string name, Func<int> line, Func<T> work)
    {
        try
        {
            return work();
        }
        catch (JinjaException error)
        {
            throw new InputException($"{name}{At(error.Line > 0 ? error.Line : line())}: {error.Message.ReplaceLineEndings(" ")}", error);
        }
        catch (InsufficientExecutionStackException error)
        {
            throw new InputException($"{name}{At(line())}: something is nested too deep.", error);
        }

        static string At(int line) => line > 0 ? $", line {line}" : "";
    }
}
