import { Faker, ru } from '@faker-js/faker';
import { Random } from '../random.ts';

/** What a warehouse of household goods holds: kinds of goods by category. */
const ASSORTMENT: Readonly<Record<string, readonly string[]>> = {
  Инструмент: ['Дрель', 'Шуруповёрт', 'Перфоратор', 'Лобзик', 'Набор ключей', 'Рулетка', 'Уровень', 'Молоток'],
  Электрика: ['Розетка', 'Выключатель', 'Удлинитель', 'Автомат защиты', 'Кабель', 'Лампа светодиодная', 'Светильник'],
  Сантехника: ['Смеситель', 'Сифон', 'Душевая лейка', 'Шланг гибкий', 'Кран шаровой', 'Раковина', 'Полотенцесушитель'],
  'Краски и лаки': ['Краска фасадная', 'Эмаль', 'Лак паркетный', 'Грунтовка', 'Морилка', 'Колер', 'Растворитель'],
  'Отделочные материалы': ['Обои', 'Плитка настенная', 'Ламинат', 'Линолеум', 'Плинтус', 'Затирка', 'Панель стеновая'],
  Крепёж: ['Саморезы', 'Дюбель-гвозди', 'Анкер', 'Болты', 'Гайки', 'Уголок крепёжный', 'Шайбы'],
  'Сад и огород': ['Лопата', 'Грабли', 'Секатор', 'Шланг поливочный', 'Лейка', 'Тачка садовая', 'Грунт универсальный'],
  'Товары для кухни': ['Сковорода', 'Кастрюля', 'Набор ножей', 'Доска разделочная', 'Чайник', 'Термос', 'Контейнер'],
  Текстиль: ['Полотенце', 'Плед', 'Комплект постельного белья', 'Подушка', 'Шторы', 'Коврик для ванной', 'Скатерть'],
  Хранение: ['Стеллаж', 'Короб', 'Корзина', 'Вешалка напольная', 'Органайзер', 'Полка настенная', 'Крючки'],
  'Бытовая химия': [
    'Стиральный порошок',
    'Гель для посуды',
    'Средство для стёкол',
    'Отбеливатель',
    'Кондиционер для белья',
  ],
  'Бытовая техника': ['Утюг', 'Пылесос', 'Вентилятор', 'Обогреватель', 'Электрочайник', 'Блендер', 'Увлажнитель'],
};

export const CATEGORIES: readonly string[] = Object.keys(ASSORTMENT);

/** The category of product 1, 2, 3 ... as its number in CATEGORIES; without end. */
export function* categoryNumbers(seed: number): Generator<number, never> {
  const random = new Random(seed);
  for (;;) yield random.between(0, CATEGORIES.length - 1);
}

/** Rows of products: id from 1, name, category. The same seed gives the same names. */
export function* productRows({ count, seed }: { count: number; seed: number }): Generator<[number, string, string]> {
  const faker = new Faker({ locale: ru, seed });
  const categories = categoryNumbers(seed);
  for (let id = 1; id <= count; id++) {
    const category = CATEGORIES[categories.next().value]!;
    const kind = faker.helpers.arrayElement(ASSORTMENT[category]!);
    const name = `${kind} «${faker.location.city()}», ${faker.color.human()}, арт. ${faker.string.numeric(4)}-${id}`;
    yield [id, name, category];
  }
}
